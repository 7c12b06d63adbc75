import type { Redis } from "ioredis";
import { shownAddress } from "../runtime/address.ts";
import { config, ENCRYPTED } from "../runtime/config.ts";
import { atLeast, Examination, type Finding } from "../runtime/examination.ts";
import { redisClient } from "./redis.host.ts";

const PATIENCE = 3_000;

/** Redis, which shares caches and rate limits: whether it is there, and makes room by itself when it is full. */
export const examineRedis = async (): Promise<Finding[]> => {
  const redis = new Examination("redis");
  const address = config.redisUrl;
  if (!address) return redis.findings;
  const client = redisClient(address, {
    lazyConnect: true,
    connectTimeout: PATIENCE,
    commandTimeout: PATIENCE,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason: Error | undefined;
  client.on("error", (error) => {
    reason = error; // ioredis rejects with "Connection is closed.", whatever closed it
  });
  try {
    await client.connect();
    await client.ping();
    redis.encrypted(shownAddress(address), ENCRYPTED.REDIS_URL.is(address), ENCRYPTED.REDIS_URL.written);
    await examine(redis, client, address);
  } catch (error) {
    const { message } = reason ?? (error as Error);
    redis.wrong(
      `${shownAddress(address)} is not to be had: ${message}; is it running, and REDIS_URL its address? Until then each node caches for itself`,
    );
  } finally {
    client.disconnect();
  }
  return redis.findings;
};

const examine = async (redis: Examination, client: Redis, address: string) => {
  const asked = Date.now();
  const time = await redis.ask("its clock", () => client.time());
  if (time) redis.clock(Number(time[0]) * 1_000 + Number(time[1]) / 1_000, asked);
  const text = await redis.ask("its version and settings", () => client.info());
  if (text === undefined) return;
  const facts = new Map(text.split(/\r?\n/).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
  const version = facts.get("redis_version") ?? "0";
  const says = `${facts.has("valkey_version") ? `Valkey ${facts.get("valkey_version")}` : version} at ${shownAddress(address)}`;
  if (atLeast(version, 6, 2)) redis.ok(says);
  else redis.warn(`${says}: 6.2 or newer is what Banyan is tested with`);
  if (facts.get("redis_mode") === "cluster")
    redis.warn("it is a Redis Cluster, and one address of it is used: take a single server or a proxy");
  if (facts.get("role") === "slave") redis.wrong("it is a replica, which takes no writes: REDIS_URL must name the primary");
  examineMemory(redis, facts);
};

const examineMemory = (redis: Examination, facts: ReadonlyMap<string, string>) => {
  const [most, policy] = [Number(facts.get("maxmemory") ?? Number.NaN), facts.get("maxmemory_policy")];
  if (Number.isNaN(most) || policy === undefined) redis.warn("its maxmemory and eviction cannot be seen");
  else if (most === 0)
    redis.warn("maxmemory is not set: it grows until the host has none left; set maxmemory 256mb and maxmemory-policy allkeys-lru");
  else if (!/^allkeys-/.test(policy))
    redis.warn(`maxmemory-policy is ${policy}: a full cache would refuse writes or keep what is old; set allkeys-lru`);
  else redis.ok(`at most ${(most / 1_048_576).toFixed(0)} MB, ${policy}`);
};
