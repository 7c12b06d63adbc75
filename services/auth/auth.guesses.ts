import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";

const FREE = 5; // wrong passwords, before the next attempt has to wait
const LONGEST = 15 * 60_000;
const FORGOTTEN = 24 * 60 * 60_000;
const MOST = 100_000;

interface Guesses {
  readonly wrong: number;
  /** Until when no attempt is looked at, in milliseconds of the process's clock. */
  readonly until: number;
}

/**
 * How often somebody was wrong about one e-mail, whether anybody has it or not: so nobody learns from being slowed down which
 * ones exist. From the fifth time on the wait doubles: a second, two, four … a quarter of an hour. Kept in memory: a restart forgets it.
 */
export class GuessLimit {
  readonly #guesses = new LRUCache<string, Guesses>({ max: MOST, ttl: FORGOTTEN });

  /** Seconds until the next attempt is looked at; 0 for now. Counts this one as wrong until `right` says otherwise, so that many at once are not one. */
  attempt(email: string, at = performance.now()): number {
    const key = keyOf(email);
    const { wrong, until } = this.#guesses.get(key) ?? { wrong: 0, until: 0 };
    if (at < until) return Math.ceil((until - at) / 1_000);
    const wait = wrong + 1 < FREE ? 0 : Math.min(LONGEST, 1_000 * 2 ** Math.min(30, wrong + 1 - FREE));
    this.#guesses.set(key, { wrong: wrong + 1, until: at + wait });
    return 0;
  }

  /** Takes one attempt back. */
  forgive(email: string): void {
    const { wrong } = this.#guesses.get(keyOf(email)) ?? { wrong: 0 };
    if (wrong <= 1) this.#guesses.delete(keyOf(email));
    else this.#guesses.set(keyOf(email), { wrong: wrong - 1, until: 0 });
  }

  right(email: string): void {
    this.#guesses.delete(keyOf(email));
  }
}

const keyOf = (email: string) => createHash("sha256").update(email).digest("base64url");
