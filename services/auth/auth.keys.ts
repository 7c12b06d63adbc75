import { generateKeyPairSync } from "node:crypto";
import type { JWK } from "jose";
import { type PublicKey, publicPart, type SigningKey } from "../../mixins/trust/access-token.ts";
import { rewrapped, unwrap, wrap } from "../../mixins/trust/master-key.ts";

const HOUR = 3_600_000;
const ROTATED = 30 * 24 * HOUR; // a key signs for so long
const KNOWN = 5 * 60_000; // and is shown for so long before it does, so that all have seen it; and after, until what it signed has expired
const LOOKED = 60_000;
const PURPOSE = "signing key";
const MOST_OTHERS = 10; // that another master key has wrapped: of no use here, and not ours to take away
const ID = "k~signing";

interface Kept extends SigningKey {
  readonly made: number;
}

/** What makes the change of the documents: the room's own way to store one. */
export type Keep = (id: string, change: (before: readonly string[]) => readonly string[] | undefined) => Promise<readonly string[]>;

/**
 * The keys that sign access tokens: Ed25519, wrapped by the master key in the room's store. A new one every thirty days, or when
 * somebody asks; each signs from five minutes after it was made (the first at once), and is shown until its last token has expired.
 */
export class SigningKeys {
  readonly #keep: Keep;
  #keys: readonly Kept[] = [];
  #looked = Number.NEGATIVE_INFINITY;

  constructor(keep: Keep) {
    this.#keep = keep;
  }

  /** What to sign with now. */
  async current(at = Date.now()): Promise<SigningKey> {
    await this.#look(at);
    const ready = this.#keys.filter(({ made }, i) => i === 0 || at - made >= KNOWN);
    return ready.at(-1)!;
  }

  /** The public parts. Looks again where one is asked for that is not known. */
  async shown(kid: string | undefined, at = Date.now()): Promise<PublicKey[]> {
    await this.#look(at);
    if (kid !== undefined && !this.#keys.some((key) => key.kid === kid)) await this.#look(at, true);
    return this.#keys.map(publicPart);
  }

  /** Makes a new key now; it signs from five minutes on. */
  async rotate(at = Date.now()): Promise<void> {
    await this.#store((keys) => [...keys, newKey(at)], at);
  }

  /** Wraps them by today's master key, unless it is only to `look`; answers how many were wrapped by the one before. */
  async rewrap(look: boolean, at = Date.now()): Promise<number> {
    let outdated = 0;
    await this.#keep(ID, (before) => {
      outdated = before.filter((text) => rewrapped(PURPOSE, text) !== undefined).length;
      return look || outdated === 0 ? undefined : before.map((text) => rewrapped(PURPOSE, text) ?? text);
    });
    if (!look) await this.#look(at, true);
    return outdated;
  }

  async #look(at: number, again = false) {
    if (!again && at - this.#looked < LOOKED) return;
    await this.#store((keys) => (keys.length > 0 && at - keys.at(-1)!.made < ROTATED ? undefined : [...keys, newKey(at)]), at);
  }

  async #store(change: (keys: readonly Kept[]) => readonly Kept[] | undefined, at: number) {
    const wrapped = await this.#keep(ID, (before) => {
      const changed = change(opened(before));
      const others = before.filter((text) => unwrap(PURPOSE, text) === undefined).slice(-MOST_OTHERS);
      return changed && [...others, ...useful(changed, at).map((key) => wrap(PURPOSE, JSON.stringify(key)))];
    });
    this.#keys = opened(wrapped);
    this.#looked = at;
  }
}

const opened = (wrapped: readonly string[]): Kept[] => wrapped.flatMap((text) => JSON.parse(unwrap(PURPOSE, text) ?? "[]"));

/** Those whose tokens may still be about. */
const useful = (keys: readonly Kept[], at: number) =>
  keys.filter((_, i) => i === keys.length - 1 || at - keys[i + 1]!.made < 2 * KNOWN + HOUR);

const newKey = (made: number): Kept => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const jwk = privateKey.export({ format: "jwk" }) as JWK;
  return { kid: jwk.x!.slice(0, 16), made, jwk };
};
