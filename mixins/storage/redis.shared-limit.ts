import { type RedisHost, script } from "./redis.host.ts";
import type { Granted, SharedLimit } from "./shared-limit.ts";

/** By Redis' own clock, so that those of the gateways do not matter. A bucket that is full again is forgotten: it would begin full. */
const TAKE = script(`
local wanted, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(bucket[1]) or burst, tonumber(bucket[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local granted = math.min(wanted, math.floor(tokens))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate * 1000) + 1)
return { granted, tokens < 1 and math.ceil((1 - tokens) / rate * 1000) or 0 }`);

/** The buckets of all gateways, on Redis. */
export class RedisSharedLimit implements SharedLimit {
  readonly #host: RedisHost;

  constructor(host: RedisHost) {
    this.#host = host;
  }

  get up(): boolean {
    return this.#host.up;
  }

  async take(client: string, wanted: number, rate: number, burst: number): Promise<Granted | undefined> {
    const said = await this.#host.run(TAKE, `${this.#host.prefix}limit:${client}`, wanted, rate, burst);
    if (said === undefined) return undefined;
    const [granted, dry] = said as [number, number];
    return { granted, dry };
  }

  close(): void {
    this.#host.close();
  }
}
