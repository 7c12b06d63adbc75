import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { LRUCache } from "lru-cache";
import { networksOf } from "../../mixins/runtime/networks.ts";

interface Bucket {
  tokens: number;
  at: number;
}

const MOST_CLIENTS = 20_000;

/** How many requests a client may send. */
export interface Limit {
  readonly rate: number;
  /** How many at once. */
  readonly burst: number;
  /** Takes a token: 0, or in how many seconds there may be one. `now` in milliseconds; whoever has a rate of his own has it each time. */
  take(client: string, now: number, rate?: number, burst?: number): number | Promise<number>;
}

/** A token bucket per client: `rate` per second over time, `burst` (twice that) at once. The clients that were seen last are remembered. */
export class RateLimit implements Limit {
  readonly rate: number;
  readonly burst: number;
  readonly #buckets = new LRUCache<string, Bucket>({ max: MOST_CLIENTS });

  constructor(rate: number, burst = rate * 2) {
    this.rate = rate;
    this.burst = burst;
  }

  take(client: string, now: number, rate = this.rate, burst = rate === this.rate ? this.burst : rate * 2): number {
    if (rate === 0) return 0;
    const bucket = this.#buckets.get(client) ?? this.#fresh(client, now, burst);
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * rate);
    bucket.at = now;
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / rate);
    bucket.tokens -= 1;
    return 0;
  }

  #fresh(client: string, now: number, burst: number): Bucket {
    const bucket = { tokens: burst, at: now };
    this.#buckets.set(client, bucket);
    return bucket;
  }
}

/** Says which client a request comes from: who is connected, or, behind proxies that we trust, whom the last of them saw. */
export const clientBehind = (proxies: readonly string[]): ((req: IncomingMessage) => string) => {
  if (proxies.length === 0) return ({ socket }) => home(plain(socket.remoteAddress ?? ""));
  const trusted = networksOf(proxies);
  const trusts = (address: string) => isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return ({ socket, headers }) => {
    let client = plain(socket.remoteAddress ?? "");
    const path = headers["x-forwarded-for"];
    const hops = typeof path === "string" ? path.split(",") : [];
    while (hops.length > 0 && trusts(client)) {
      const hop = plain(hops.pop()!.trim());
      if (isIP(hop) === 0) break; // no address: whoever wrote it, it names no client
      client = hop;
    }
    return home(client);
  };
};

/** Whoever has one address of an IPv6 network of 64 bits has them all, so they are one client. */
const home = (address: string) => (address.includes(":") ? address.split("::")[0]!.split(":").slice(0, 4).join(":") : address);

/** An IPv4 address may come in IPv6 clothes. */
const plain = (address: string) => (address.startsWith("::ffff:") ? address.slice(7) : address);
