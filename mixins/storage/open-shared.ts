import { config } from "../runtime/config.ts";
import type { SharedCache } from "./shared-cache.ts";
import type { SharedLimit } from "./shared-limit.ts";

/** The driver; one process alone does not even read it from the disk. */
const load = async () => {
  const [{ RedisHost }, { RedisSharedCache }, { RedisSharedLimit }] = await Promise.all([
    import("./redis.host.ts"),
    import("./redis.shared-cache.ts"),
    import("./redis.shared-limit.ts"),
  ]);
  return { RedisHost, RedisSharedCache, RedisSharedLimit };
};
const redis = config.redisUrl ? await load() : undefined;

/** What all nodes share beside the record; undefined where the environment names no server for it. */
export const openSharedLimit = (): SharedLimit | undefined => redis && new redis.RedisSharedLimit(redis.RedisHost.open());

/** Only in a cluster: two systems that keep their files for themselves have nothing to share, though they may know of one Redis. */
export const openSharedCache = (): SharedCache | undefined =>
  redis && config.mongoUrl ? new redis.RedisSharedCache(redis.RedisHost.open()) : undefined;
