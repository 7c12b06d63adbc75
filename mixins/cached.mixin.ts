import { LRUCache } from "lru-cache";
import type { Context, Service, ServiceSchema } from "moleculer";
import { RecentReads } from "./cached.recent.ts";
import type { Meta } from "./core/context.ts";
import { freeze } from "./core/freeze.ts";
import { openSharedCache } from "./storage/open-shared.ts";
import type { SharedCache } from "./storage/shared-cache.ts";

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Cached {
  /**
   * The answer kept under `key`, if it was made from what `stamp` stands for; else what `load` answers now, which is
   * kept, frozen, and the same object for everybody until the stamp changes. Ask for the stamp on every call, after
   * authorization, from what every write moves (a position in the record, a version): then no answer is older than
   * the last write that was acknowledged. The key names all that the answer depends on; see `keyOf`.
   */
  cached<T extends object>(key: string, stamp: string | number, load: () => T): T;
  cached<T extends object>(key: string, stamp: string | number, load: () => Promise<T>): T | Promise<T>;
  /**
   * For what may be a moment old and has no cheap stamp: an answer that was so at some moment not longer than `within`
   * milliseconds ago (1,000 where nothing is said), kept here and, for all nodes, in the cache that they share; one of them
   * loads while the others wait a little. It must be JSON and nothing else, and is frozen. The topic names what it is made
   * from, and begins with the room's name. Where nodes share nothing (no cluster, or none with Redis), this is `load`.
   */
  recent<T extends object>(topic: string, key: string, load: () => T | Promise<T>, within?: number): T | Promise<T>;
  /**
   * After a write, before it is acknowledged: what was kept of the topic is no answer any more, on any node, and what is
   * being loaded is not kept. A node that cannot be told at this moment finds out by the answers' age, hence "recent".
   */
  changed(topic: string): Promise<void> | undefined;
}

interface Entry {
  stamp: string | number;
  answer: object;
}

const MAX_ENTRIES = 10_000;
const WITHIN = 1_000;
const MAX_BYTES = 32 * 1024 * 1024; // of the answers as JSON; in memory they take two or three times that

interface CacheOptions {
  /** The most answers, and the most characters of them as JSON. */
  max?: number;
  maxBytes?: number;
  /** What is shared with other nodes, if anything is. */
  share?: () => SharedCache | undefined;
}

type Holder = Service & { recentReads?: RecentReads };

/** Reads kept in this process's memory, at most so many and so large; those least lately asked for go first. */
export const cached = ({ max = MAX_ENTRIES, maxBytes = MAX_BYTES, share = openSharedCache }: CacheOptions = {}): ServiceSchema => {
  const kept = new LRUCache<string, Entry>({ max, maxSize: maxBytes });
  const loading = new Map<string, { stamp: string | number; answer: Promise<object> }>();

  const keep = (key: string, stamp: string | number, answer: object) => {
    kept.set(key, { stamp, answer: freeze(answer) }, { size: key.length + JSON.stringify(answer).length });
    return answer;
  };

  const load = (key: string, stamp: string | number, work: () => object | Promise<object>): object | Promise<object> => {
    const made = work();
    if (!(made instanceof Promise)) return keep(key, stamp, made);
    const answer = made.then((value) => keep(key, stamp, value));
    loading.set(key, { stamp, answer });
    const done = () => {
      if (loading.get(key)?.answer === answer) loading.delete(key);
    };
    answer.then(done, done);
    return answer;
  };

  return {
    name: "",
    methods: {
      cached(key: string, stamp: string | number, work: () => object | Promise<object>) {
        const entry = kept.get(key);
        if (entry?.stamp === stamp) return entry.answer;
        const underway = loading.get(key);
        return underway?.stamp === stamp ? underway.answer : load(key, stamp, work);
      },
      recent(this: Holder, topic: string, key: string, work: () => object | Promise<object>, within = WITHIN) {
        return this.recentReads ? this.recentReads.read(topic, key, work, within) : work();
      },
      changed(this: Holder, topic: string) {
        return this.recentReads?.changed(topic);
      },
    },
    started(this: Holder) {
      const shared = share();
      if (shared) this.recentReads = new RecentReads(shared, max, maxBytes);
    },
    async stopped(this: Holder) {
      this.recentReads?.close();
      this.recentReads = undefined;
    },
  };
};

/** The key of what this call asks for: action and parameters, and who asks, where the answer depends on that. */
export const keyOf = (ctx: Context<unknown, Meta>, by?: "roles" | "user"): string => {
  const { user } = ctx.meta;
  const who = by === "user" ? user?.id : by === "roles" ? user?.roles.toSorted() : undefined;
  return JSON.stringify([ctx.action?.name, ctx.params, who ?? null]);
};
