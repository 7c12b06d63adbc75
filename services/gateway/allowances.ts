import type { User } from "../../mixins/core/context.ts";
import { config } from "../../mixins/runtime/config.ts";
import { openSharedLimit } from "../../mixins/storage/open-shared.ts";
import type { SharedLimit } from "../../mixins/storage/shared-limit.ts";
import { SharedRateLimit } from "./limits.shared.ts";
import { type Limit, RateLimit } from "./limits.ts";
import type { Route } from "./router.ts";

const DAY = 86_400;
const MOST_RATES = 1_000; // different ones; beyond these a key has its user's

/** Who may ask how much, and for how many seconds there is no more of it. */
export interface Refusal {
  readonly says: string;
  readonly limit: Limit;
  readonly seconds: number;
}

interface Asked {
  readonly who: string;
  readonly says: string;
  readonly limit: Limit;
}

/**
 * What one client, user or key may ask: by address from the first byte on, by user and key once it is known who asks, on some routes less, and so much
 * in a day. All gateways count together where there is Redis.
 */
export class Allowances {
  /** By address. */
  readonly client: Limit;
  readonly #shared: SharedLimit | undefined;
  readonly #limits = new Map<string, Limit>();

  constructor(rate: number) {
    const counts = rate > 0 || config.userRateLimit > 0 || config.userDailyQuota > 0;
    this.#shared = counts ? openSharedLimit() : undefined;
    this.client = this.#of(rate);
  }

  /** Takes from all that a request of this user on this route has to have; undefined where there is enough of everything. */
  take(route: Route, user: User | undefined, client: string, now: number): Refusal | undefined | Promise<Refusal | undefined> {
    const asked = this.#asked(route, user, client);
    for (let n = 0; n < asked.length; n++) {
      const seconds = asked[n]!.limit.take(asked[n]!.who, now);
      if (typeof seconds !== "number") return this.#rest(asked.slice(n), seconds, now);
      if (seconds > 0) return { ...asked[n]!, seconds };
    }
    return undefined;
  }

  async #rest(asked: readonly Asked[], first: Promise<number>, now: number): Promise<Refusal | undefined> {
    for (const [n, one] of asked.entries()) {
      const seconds = n === 0 ? await first : await one.limit.take(one.who, now);
      if (seconds > 0) return { ...one, seconds };
    }
    return undefined;
  }

  #asked({ http, action }: Route, user: User | undefined, client: string): Asked[] {
    const asked: Asked[] = [];
    if (http.rate && this.client.rate > 0) {
      asked.push({ who: `${action!.name} ${user?.id ?? client}`, says: "On this route one", limit: this.#of(http.rate) });
    }
    if (!user) return asked;
    const { userRateLimit: rate, userDailyQuota: quota } = config;
    if (user.rate) asked.push({ who: `key ${user.session}`, says: "This key", limit: this.#of(user.rate) });
    if (rate > 0) asked.push({ who: `user ${user.id}`, says: "This user", limit: this.#of(rate) });
    if (quota > 0) asked.push({ who: `day ${user.id}`, says: "This user", limit: this.#of(quota / DAY, quota) });
    return asked;
  }

  #of(rate: number, burst?: number): Limit {
    const name = `${rate} ${burst}`;
    let limit = this.#limits.get(name);
    if (!limit) {
      if (this.#limits.size >= MOST_RATES) return this.client;
      limit = this.#shared && rate > 0 ? new SharedRateLimit(rate, this.#shared, burst) : new RateLimit(rate, burst);
      this.#limits.set(name, limit);
    }
    return limit;
  }

  close(): void {
    this.#shared?.close();
  }
}
