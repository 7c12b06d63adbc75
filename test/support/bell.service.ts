import type { ServiceSchema } from "moleculer";
import { type Actor, actor } from "../../mixins/actor.mixin.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { subscriber } from "../../mixins/subscriber.mixin.ts";
import { type Tally, type TallyEvent, tallyModel } from "./tally.service.ts";

type Room = Actor<Tally, TallyEvent>;

/** A room that rings whenever it is told that something was added to a tally, and knows no key: told twice, it rings twice. It is not told of `stuck`. */
export default {
  name: "bell",
  version: 1,
  mixins: [
    actor(tallyModel),
    subscriber(
      {
        "tally.Added": ({ word = "" }: TallyEvent, { stream: id }: { stream: string }) => [
          { action: "v1.bell.ring", params: { id, word } },
        ],
      },
      { maxAttempts: 1 },
    ),
  ],
  actions: {
    ring: action({
      visibility: "public",
      params: { id: "string", word: "string" },
      returns: {},
      async handler(this: Room, ctx) {
        const { id, word } = ctx.params;
        if (word === "stuck") throw new Rejected("BELL_STUCK", "It does not ring");
        await this.act(ctx, id, () => [{ type: "Added", amount: 1, word }], { key: null });
        return {};
      },
    }),
    rung: action({
      visibility: "public",
      params: { id: "string" },
      returns: { words: { type: "array", items: "string" } },
      async handler(this: Room, { params: { id } }) {
        return { words: (await this.peek(id))?.words ?? [] };
      },
    }),
  },
} satisfies ServiceSchema;
