import { createHash, randomUUID } from "node:crypto";
import { type RedisHost, script } from "./redis.host.ts";
import type { Claim, SharedCache, Ticket } from "./shared-cache.ts";

const LOAD = 2_000; // milliseconds for which somebody who was told to load is believed to do so
const IDLE = 60_000; // milliseconds after which a topic that gets no new answers is forgotten
const MOST_FIELDS = 2_000; // of a topic, answers and loads together
const MOST_BYTES = 16 * 1024 * 1024; // of a topic
const MOST_SHARED = 256 * 1024; // characters of an answer
const LONGEST_KEY = 200;

/*
 * A topic is one hash: "@" its edition, "#" the bytes put, "a<key>" an answer and "l<key>" who loads it, both behind the
 * millisecond until which they hold (13 digits). So an invalidation, an eviction and a restart take answers, loads and
 * edition together: an edition that is gone is never there again, and what was begun on it is not taken.
 */
const CLAIM = script(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local edition = redis.call('HGET', KEYS[1], '@')
local kept = redis.call('HGET', KEYS[1], 'a' .. ARGV[1])
if edition and kept then
  local left = tonumber(string.sub(kept, 1, 13)) - now
  if left > 0 then return { 'kept', left, string.sub(kept, 14) } end
end
local load = redis.call('HGET', KEYS[1], 'l' .. ARGV[1])
if edition and load and tonumber(string.sub(load, 1, 13)) > now then return { 'wait', edition } end
if not edition or redis.call('HLEN', KEYS[1]) > ${MOST_FIELDS} or tonumber(redis.call('HGET', KEYS[1], '#') or 0) > ${MOST_BYTES} then
  if edition then redis.call('UNLINK', KEYS[1]) end
  edition = ARGV[2]
  redis.call('HSET', KEYS[1], '@', edition)
  redis.call('PEXPIRE', KEYS[1], ${IDLE})
end
redis.call('HSET', KEYS[1], 'l' .. ARGV[1], string.format('%013.0f', now + ${LOAD}) .. ARGV[2])
return { 'load', edition }`);

const PUT = script(`
if redis.call('HGET', KEYS[1], '@') ~= ARGV[2] then return 0 end
local load = redis.call('HGET', KEYS[1], 'l' .. ARGV[1])
if load and string.sub(load, 14) == ARGV[3] then redis.call('HDEL', KEYS[1], 'l' .. ARGV[1]) end
local t = redis.call('TIME')
local till = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[5]
local kept = redis.call('HGET', KEYS[1], 'a' .. ARGV[1])
if kept and tonumber(string.sub(kept, 1, 13)) > till then return 0 end
redis.call('HSET', KEYS[1], 'a' .. ARGV[1], string.format('%013.0f', till) .. ARGV[4])
redis.call('HINCRBY', KEYS[1], '#', #ARGV[4])
redis.call('PEXPIRE', KEYS[1], ${IDLE})
return 1`);

const RELEASE = script(`
local load = redis.call('HGET', KEYS[1], 'l' .. ARGV[1])
if load and string.sub(load, 14) == ARGV[2] then return redis.call('HDEL', KEYS[1], 'l' .. ARGV[1]) end
return 0`);

const INVALIDATE = script(`
redis.call('UNLINK', KEYS[1])
return redis.call('PUBLISH', ARGV[1], ARGV[2])`);

/** The cache that nodes share, on Redis. */
export class RedisSharedCache implements SharedCache {
  readonly #host: RedisHost;
  readonly #channel: string;
  readonly #self = randomUUID();
  readonly #silences: (() => void)[] = [];

  constructor(host: RedisHost) {
    this.#host = host;
    this.#channel = `${host.prefix}cache-changed`;
  }

  async claim(topic: string, key: string): Promise<Claim | undefined> {
    const token = randomUUID();
    const said = (await this.#host.run(CLAIM, this.#name(topic), fieldOf(key), token)) as [string, ...unknown[]] | undefined;
    if (said?.[0] === "kept") {
      const [, left, json] = said as [string, number, string];
      return json === "" ? { kind: "alone" } : { kind: "kept", json, left };
    }
    return said && { kind: said[0] as "load" | "wait", ticket: { edition: said[1] as string, token } };
  }

  async put(topic: string, key: string, { edition, token }: Ticket, json: string, left: number): Promise<boolean> {
    const large = json.length > MOST_SHARED;
    const held = Math.max(0, Math.floor(left));
    return (await this.#host.run(PUT, this.#name(topic), fieldOf(key), edition, token, large ? "" : json, held)) === 1 && !large;
  }

  async release(topic: string, key: string, { token }: Ticket): Promise<void> {
    await this.#host.run(RELEASE, this.#name(topic), fieldOf(key), token);
  }

  async invalidate(topic: string): Promise<void> {
    await this.#host.run(INVALIDATE, this.#name(topic), this.#channel, `${this.#self} ${topic}`);
  }

  listen(hear: (topic: string | undefined) => void): () => void {
    const heard = (message: string) => {
      const end = message.indexOf(" ");
      if (message.slice(0, end) !== this.#self) hear(message.slice(end + 1));
    };
    const silence = this.#host.listen(this.#channel, heard, () => hear(undefined));
    this.#silences.push(silence);
    return silence;
  }

  close(): void {
    for (const silence of this.#silences) silence();
    this.#host.close();
  }

  #name(topic: string): string {
    return `${this.#host.prefix}cache:${topic}`;
  }
}

/** A key may be any text, as long as its caller likes. */
const fieldOf = (key: string): string =>
  key.length <= LONGEST_KEY ? `=${key}` : `#${createHash("sha256").update(key).digest("base64url")}`;
