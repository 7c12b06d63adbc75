import type { Context, ServiceSchema } from "moleculer";
import { keyOf } from "./actor.key.ts";
import type { Meta } from "./core/context.ts";
import type { CollectionStore } from "./storage/collection-store.ts";

type Call = Context<unknown, Meta>;

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Idempotency {
  /**
   * Runs `work` as one write to the room's documents, and resolves with its answer when that is durable (see
   * `CollectionStore.write`). The same caller, key and request get the stored answer, whichever process they come to;
   * another request under the key is refused (`KEY_REUSED`). A refusal is not stored. `work` must not await, and its
   * answer is JSON.
   */
  once<T>(ctx: Call, work: () => T): Promise<T>;
}

type Holder = { adapter: { documents: CollectionStore } };

export const idempotency: ServiceSchema = {
  name: "",
  methods: {
    once<T>(this: Holder, ctx: Call, work: () => T): Promise<T> {
      return this.adapter.documents.write(work, keyOf(ctx));
    },
  },
};
