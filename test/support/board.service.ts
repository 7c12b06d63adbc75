import type { Service, ServiceSchema } from "moleculer";
import { type Cached, cached } from "../../mixins/cached.mixin.ts";
import { action } from "../../mixins/core/params.ts";
import type { SharedCache } from "../../mixins/storage/shared-cache.ts";

/** What a board shows, kept where all nodes read it. */
export interface Chalk {
  word: string;
  /** How often it was read. */
  reads: number;
  /** What a reader waits for once it has looked. */
  hold?: Promise<void>;
}

/** A room whose list may be a moment old. */
export const board = (chalk: Chalk, share: () => SharedCache | undefined): ServiceSchema => ({
  name: "board",
  version: 1,
  mixins: [cached({ share })],
  actions: {
    read: action({
      visibility: "public",
      params: { within: "number|optional", key: "string|optional" },
      returns: { word: "string" },
      handler(this: Service & Cached, { params: { within, key = "all" } }): { word: string } | Promise<{ word: string }> {
        const load = async () => {
          chalk.reads++;
          const { word } = chalk;
          await chalk.hold;
          if (word === "unreadable") throw new Error("unreadable");
          return { word };
        };
        return this.recent("board", key, load, within);
      },
    }),
    write: action({
      visibility: "public",
      params: { word: "string" },
      returns: { word: "string" },
      async handler(this: Service & Cached, { params: { word } }) {
        chalk.word = word;
        await this.changed("board");
        return { word };
      },
    }),
  },
});
