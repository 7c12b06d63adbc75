import { createHash } from "node:crypto";
import { Redis, type RedisOptions, ReplyError } from "ioredis";
import { config, ENCRYPTED } from "../runtime/config.ts";
import { worksWithout } from "../runtime/health.ts";
import { log } from "../runtime/logger.ts";
import { clientTls } from "../trust/client.tls.ts";

/** Milliseconds until Redis counts as away though its connection stands: the most that it can cost whoever asks. */
export const REDIS_TIMEOUT = 250;
const LONGEST_PAUSE = 2_000; // between two attempts to reach it
const TELL_AGAIN = 60_000; // milliseconds until a refusal is told again
const RETRY_READONLY = 10_000;

const OPTIONS: RedisOptions = {
  enableOfflineQueue: false, // what cannot be asked now is not asked: there is always a way without
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false, // done here, so that listeners hear of the gap
  connectTimeout: 2_000,
  commandTimeout: 1_000, // for what the client asks by itself; ours are given up sooner
  disconnectTimeout: 500,
  disableClientInfo: true,
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(25 * 2 ** Math.min(times, 10), LONGEST_PAUSE),
};

/**
 * A client with our certificate where the address says TLS. It listens to the first error of a connection only, and one that the server refuses for its
 * certificate has two: an error that nobody hears would end the process.
 */
export const redisClient = (url: string, options: RedisOptions): Redis => {
  const redis = new Redis(url, { ...options, ...(ENCRYPTED.REDIS_URL.is(url) && { tls: clientTls() }) });
  redis.on("connect", () => redis.stream.on("error", () => {}));
  return redis;
};

/** A program that runs in Redis as a whole, between whatever others ask. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

interface Listener {
  channel: string;
  hear(message: string): void;
  gap(): void;
}

export const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

/**
 * The connection of this process to Redis, and a second one that listens. Redis keeps nothing that cannot be done
 * without: while it is away, or slower than `REDIS_TIMEOUT`, everything asked of it is answered with undefined, at once,
 * and it is tried again by itself. That it went is told once, and that it is back.
 */
export class RedisHost {
  static #shared?: RedisHost;
  static #users = 0;

  /** One per process; each `open` wants its own `close`. */
  static open(): RedisHost {
    RedisHost.#shared ??= new RedisHost(config.redisUrl!);
    RedisHost.#users++;
    return RedisHost.#shared;
  }

  readonly prefix = `${config.namespace}:`;
  readonly #url: string;
  readonly #address: string;
  readonly #redis: Redis;
  readonly #forget: () => void;
  readonly #listeners = new Set<Listener>();
  #subscriber?: Redis;
  #state: "starting" | "up" | "away" | "closed" = "starting";
  #toldRefusal = Number.NEGATIVE_INFINITY;
  #triedAnother = Number.NEGATIVE_INFINITY;

  constructor(url: string) {
    this.#url = url;
    this.#address = addressOf(url);
    this.#redis = this.#connect();
    this.#redis.on("ready", () => this.#back());
    this.#forget = worksWithout("redis", async () => {
      if ((await this.ask((redis) => redis.ping())) !== "PONG") throw new Error("away");
    });
  }

  /** Whether it is worth asking. */
  get up(): boolean {
    return this.#state === "up";
  }

  /** What Redis answers; undefined where it cannot be asked, does not answer in time or refuses. Then it may have been done all the same. */
  async ask<T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined> {
    if (this.#state !== "up") return undefined;
    const late = Promise.withResolvers<never>();
    // What has come while this process was busy is read before the immediate: then it was not Redis that was slow.
    const timer = setTimeout(() => setImmediate(() => late.reject(new Error(`no answer within ${REDIS_TIMEOUT} ms`))), REDIS_TIMEOUT);
    const asked = work(this.#redis);
    try {
      return await Promise.race([asked, late.promise]);
    } catch (error) {
      asked.catch(() => {}); // it comes too late to matter
      if (error instanceof ReplyError) this.#refused(error as Error);
      else this.#gone(error as Error);
      return undefined;
    } finally {
      clearTimeout(timer);
      late.promise.catch(() => {});
    }
  }

  run(program: Script, key: string, ...args: (string | number)[]): Promise<unknown> {
    return this.ask((redis) =>
      redis.evalsha(program.sha, 1, key, ...args).catch((error: Error) => {
        if (!error.message.startsWith("NOSCRIPT")) throw error;
        return redis.eval(program.text, 1, key, ...args);
      }),
    );
  }

  /** Hears what is published on the channel; `gap` says that something may have been missed. Returns how to stop. */
  listen(channel: string, hear: (message: string) => void, gap: () => void): () => void {
    const listener = { channel, hear, gap };
    this.#listeners.add(listener);
    if (!this.#subscriber) this.#subscriber = this.#subscribe();
    else if (this.#subscriber.status === "ready") void this.#subscriber.subscribe(channel).then(gap, () => {});
    return () => void this.#listeners.delete(listener);
  }

  /** Whoever shares the process's connection gives it back; who made it for himself ends it. */
  close(): void {
    if (RedisHost.#shared === this) {
      if (--RedisHost.#users > 0) return;
      RedisHost.#shared = undefined;
    }
    this.#state = "closed";
    this.#forget();
    this.#redis.disconnect();
    this.#subscriber?.disconnect();
  }

  #connect(): Redis {
    const redis = redisClient(this.#url, OPTIONS);
    redis.on("error", (error) => this.#lost(error));
    redis.on("close", () => this.#lost(new Error("the connection was closed")));
    return redis;
  }

  #subscribe(): Redis {
    const subscriber = redisClient(this.#url, OPTIONS);
    const gap = () => {
      for (const listener of this.#listeners) listener.gap();
    };
    subscriber.on("error", () => {}); // the other connection tells it
    subscriber.on("close", gap);
    subscriber.on("message", (channel: string, message: string) => {
      for (const listener of this.#listeners) if (listener.channel === channel) listener.hear(message);
    });
    subscriber.on("ready", () => {
      const channels = new Set([...this.#listeners].map(({ channel }) => channel));
      if (channels.size > 0) subscriber.subscribe(...channels).then(gap, () => subscriber.disconnect(true));
    });
    return subscriber;
  }

  #back() {
    if (this.#state === "away") log.info({ event: "redis.back", server: this.#address });
    if (this.#state !== "closed") this.#state = "up";
  }

  /** Its connection stands and it says nothing: from now on it counts as away until a new one is answered. */
  #gone(error: Error) {
    if (this.#state !== "up") return;
    this.#lost(error);
    this.#redis.disconnect(true);
  }

  #lost(error: Error) {
    if (this.#state === "away" || this.#state === "closed") return;
    this.#state = "away";
    log.warn({ event: "redis.away", server: this.#address, reason: error.message }); // never the error itself: it holds what was sent
  }

  #refused(error: Error) {
    if (error.message.startsWith("READONLY") && performance.now() - this.#triedAnother > RETRY_READONLY) {
      this.#triedAnother = performance.now();
      return this.#gone(error); // the name may lead to the server that takes writes now
    }
    if (performance.now() - this.#toldRefusal < TELL_AGAIN) return;
    this.#toldRefusal = performance.now();
    log.warn({ event: "redis.refused", server: this.#address, reason: error.message });
  }
}

/** Host and port, as a log may show them. */
const addressOf = (url: string): string => {
  if (!URL.canParse(url)) throw new Error("REDIS_URL must be an address like redis://127.0.0.1:6379"); // not what it is: it may hold a password
  return new URL(url).host;
};
