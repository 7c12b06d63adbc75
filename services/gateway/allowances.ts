import type { User } from "../../mixins/core/context.ts";
import { config } from "../../mixins/runtime/config.ts";
import { openSharedLimit } from "../../mixins/storage/open-shared.ts";
import type { SharedLimit } from "../../mixins/storage/shared-limit.ts";
import { SharedRateLimit } from "./limits.shared.ts";
import { type Limit, RateLimit } from "./limits.ts";
import type { Route } from "./router.ts";

const DAY = 86_400;

/** What somebody may ask a second, and at once. */
export interface Allowance {
  readonly says: string;
  readonly rate: number;
  readonly burst: number;
}

/** Where there is no more of it, for how many seconds. */
export interface Refusal extends Allowance {
  readonly seconds: number;
}

interface Asked extends Allowance {
  readonly who: string;
}

/**
 * What one client, user or key may ask: by address from the first byte on, by user and key once it is known who asks, on some routes less, and so much
 * in a day. All gateways count together where there is Redis.
 */
export class Allowances {
  /** By address. */
  readonly client: Limit;
  /** Those who are known, and addresses on routes that have a limit of their own: each in buckets of its kind, so that none pushes another out. */
  readonly #users: Limit;
  readonly #routes: Limit;
  readonly #shared: SharedLimit | undefined;

  constructor(rate: number) {
    const counts = rate > 0 || config.userRateLimit > 0 || config.userDailyQuota > 0;
    this.#shared = counts ? openSharedLimit() : undefined;
    const limit = (of: number) => (this.#shared && of > 0 ? new SharedRateLimit(of, this.#shared) : new RateLimit(of));
    this.client = limit(rate);
    this.#users = limit(config.userRateLimit || rate || 1);
    this.#routes = limit(rate);
  }

  /** Takes from all that a request of this user on this route has to have; undefined where there is enough of everything. */
  take(route: Route, user: User | undefined, client: string, now: number): Refusal | undefined | Promise<Refusal | undefined> {
    const asked = this.#asked(route, user, client);
    for (let n = 0; n < asked.length; n++) {
      const seconds = this.#takeOne(asked[n]!, now);
      if (typeof seconds !== "number") return this.#rest(asked.slice(n), seconds, now);
      if (seconds > 0) return { ...asked[n]!, seconds };
    }
    return undefined;
  }

  /** What is said of an address that has asked too much. */
  refused(seconds: number): Refusal {
    const { rate, burst } = this.client;
    return { says: "This client", rate, burst, seconds };
  }

  #takeOne({ who, rate, burst }: Asked, now: number): number | Promise<number> {
    return (who.startsWith("v1.") ? this.#routes : this.#users).take(who, now, rate, burst);
  }

  async #rest(asked: readonly Asked[], first: Promise<number>, now: number): Promise<Refusal | undefined> {
    for (const [n, one] of asked.entries()) {
      const seconds = n === 0 ? await first : await this.#takeOne(one, now);
      if (seconds > 0) return { ...one, seconds };
    }
    return undefined;
  }

  #asked({ http, action }: Route, user: User | undefined, client: string): Asked[] {
    const asked: Asked[] = [];
    if (http.rate && this.client.rate > 0) {
      asked.push({ who: `${action!.name} ${user?.id ?? client}`, says: "On this route one", rate: http.rate, burst: http.rate * 2 });
    }
    if (!user || http.remedy) return asked;
    const { userRateLimit: rate, userDailyQuota: quota } = config;
    if (user.rate) asked.push({ who: `key ${user.session}`, says: "This key", rate: user.rate, burst: user.rate * 2 });
    if (rate > 0) asked.push({ who: `user ${user.id}`, says: "This user", rate, burst: rate * 2 });
    if (quota > 0) asked.push({ who: `day ${user.id}`, says: "This user", rate: quota / DAY, burst: quota });
    return asked;
  }

  close(): void {
    this.#shared?.close();
  }
}
