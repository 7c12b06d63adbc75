import { config } from "../runtime/config.ts";
import { RedisHost } from "./redis.host.ts";
import { RedisSharedCache } from "./redis.shared-cache.ts";
import { RedisSharedLimit } from "./redis.shared-limit.ts";
import type { SharedCache } from "./shared-cache.ts";
import type { SharedLimit } from "./shared-limit.ts";

/** What all nodes share beside the record; undefined where the environment names no server for it. */
export const openSharedLimit = (): SharedLimit | undefined => (config.redisUrl ? new RedisSharedLimit(RedisHost.open()) : undefined);

/** Only in a cluster: two systems that keep their files for themselves have nothing to share, though they may know of one Redis. */
export const openSharedCache = (): SharedCache | undefined =>
  config.redisUrl && config.mongoUrl ? new RedisSharedCache(RedisHost.open()) : undefined;
