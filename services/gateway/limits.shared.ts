import { LRUCache } from "lru-cache";
import type { Granted, SharedLimit } from "../../mixins/storage/shared-limit.ts";
import { type Limit, RateLimit } from "./limits.ts";

/** Tokens of a client that were taken from the shared bucket and are not spent yet, and who waits for more. */
interface Lease {
  tokens: number;
  /** When it was last filled up, in milliseconds. */
  at: number;
  /** How many are taken at once: what this client needs in a tenth of a second here, as far as seen. */
  batch: number;
  /** Until when there is nothing to be had. */
  dry: number;
  asking: boolean;
  /** What this client may have. */
  readonly rate: number;
  readonly burst: number;
  waiting: ((seconds: number) => void)[];
}

const MOST_CLIENTS = 20_000;
const HELD = 1_000; // milliseconds after which tokens that were not spent are forgotten
const BUSY = 100; // a batch that is gone sooner was too small
const IDLE = 500; // one that lasts longer was too large
const SHORTEST_DROUGHT = 10; // milliseconds for which "none" is believed; what fills up meanwhile is not lost

/**
 * A bucket per client that all gateways share. Each takes tokens from it in batches that grow with the client's demand, so
 * that few requests wait for the bucket, and none for longer than a quarter of a second. What a gateway holds is at most a
 * tenth of a second's worth: together they let through no more than `rate` × time + `burst` + gateways × `rate` ÷ 10 (and
 * exactly as much as one would, where `rate` is below 20). While the bucket is away, each gateway counts for itself,
 * from what it has let through lately.
 */
export class SharedRateLimit implements Limit {
  readonly rate: number;
  readonly burst: number;
  readonly #own: RateLimit;
  readonly #shared: SharedLimit;
  readonly #leases = new LRUCache<string, Lease>({ max: MOST_CLIENTS });

  constructor(rate: number, shared: SharedLimit, burst?: number) {
    this.#own = new RateLimit(rate, burst);
    this.#shared = shared;
    this.rate = rate;
    this.burst = this.#own.burst;
  }

  take(client: string, now: number, rate = this.rate, burst = rate === this.rate ? this.burst : rate * 2): number | Promise<number> {
    if (!this.#shared.up) return this.#own.take(client, now, rate, burst);
    const lease = this.#leases.get(client) ?? this.#fresh(client, rate, burst);
    if (now - lease.at > HELD) lease.tokens = 0;
    if (lease.tokens > 0) {
      this.#spend(client, lease, now);
      if (lease.tokens < lease.batch / 2 && !lease.asking && now >= lease.dry) void this.#ask(client, lease);
      return 0;
    }
    if (now < lease.dry && !lease.asking) return seconds(lease.dry - now);
    const { promise, resolve } = Promise.withResolvers<number>();
    lease.waiting.push(resolve);
    if (!lease.asking) void this.#ask(client, lease);
    return promise;
  }

  #fresh(client: string, rate: number, burst: number): Lease {
    const lease: Lease = { rate, burst, tokens: 0, at: 0, batch: 0, dry: 0, asking: false, waiting: [] };
    this.#leases.set(client, lease);
    return lease;
  }

  /** The gateway's own bucket goes along, so that it knows how matters stand when it is left alone. */
  #spend(client: string, lease: Lease, now: number) {
    lease.tokens--;
    this.#own.take(client, now, lease.rate, lease.burst);
  }

  async #ask(client: string, lease: Lease): Promise<void> {
    const { rate, burst } = lease;
    const largest = rate < 20 ? 0 : Math.floor(rate / 10);
    lease.asking = true;
    let held = performance.now() - lease.at;
    do {
      if (held < BUSY) lease.batch = Math.min(largest, Math.max(2 * lease.batch, lease.waiting.length, 1));
      else if (held > IDLE) lease.batch = 0;
      await undefined; // all who come at the same moment ask together
      const wanted = Math.max(lease.waiting.length, lease.batch - lease.tokens);
      if (wanted <= 0) break;
      const answer = await this.#shared.take(client, wanted, rate, burst);
      const now = performance.now();
      if (answer) this.#share(client, lease, wanted, answer, now);
      else for (const settle of lease.waiting.splice(0)) settle(this.#own.take(client, now, rate, burst));
      held = 0;
    } while (lease.waiting.length > 0);
    lease.asking = false;
  }

  /** Those who came first get what there is. Where that was all, the others are told when to come again. */
  #share(client: string, lease: Lease, wanted: number, { granted, dry }: Granted, now: number) {
    lease.tokens += granted;
    lease.at = now;
    for (const settle of lease.waiting.splice(0, lease.tokens)) {
      this.#spend(client, lease, now);
      settle(0);
    }
    if (granted === wanted) return;
    lease.dry = now + Math.max(SHORTEST_DROUGHT, dry);
    for (const settle of lease.waiting.splice(0)) settle(seconds(dry));
  }
}

const seconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1_000));
