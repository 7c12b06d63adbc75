import type { Context, ServiceSchema } from "moleculer";
import { keyOf } from "./actor.key.ts";
import type { Meta } from "./core/context.ts";
import { SqliteFile } from "./storage/sqlite.file.ts";
import { SqliteKeys } from "./storage/sqlite.keys.ts";

type Call = Context<unknown, Meta>;

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Idempotency {
  /**
   * Runs `work` inside a write to the room's file, and resolves with its answer when that is on the disk. The same
   * caller, key and request get the stored answer, whichever process they come to; another request under the key is
   * refused (`KEY_REUSED`). A refusal is not stored. `work` must not await, and its answer is JSON.
   */
  once<T>(ctx: Call, work: () => T): Promise<T>;
}

type Holder = { name: string; file?: SqliteFile; keys?: SqliteKeys };

export const idempotency: ServiceSchema = {
  name: "",
  methods: {
    once<T>(this: Holder, ctx: Call, work: () => T): Promise<T> {
      const { file, keys } = this;
      const key = keyOf(ctx);
      return file!.write(key ? () => keys!.once(key.once, key.digest, Date.now(), work) : work);
    },
  },
  started(this: Holder) {
    this.file = SqliteFile.open(this.name);
    this.keys = new SqliteKeys(this.file);
  },
  stopped(this: Holder) {
    return this.file?.close();
  },
};
