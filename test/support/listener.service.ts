import type { ServiceSchema } from "moleculer";
import { type Actor, actor } from "../../mixins/actor.mixin.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import type { Effect } from "../../mixins/subscriber.mixin.ts";
import { subscriber } from "../../mixins/subscriber.mixin.ts";
import { type Tally, type TallyEvent, tallyModel } from "./tally.service.ts";

type Room = Actor<Tally, TallyEvent>;

/** A room that notes once for each thing that another room's tallies have come to, under the stream's own id. */
export const listenerRoom = (source = "tally", refuses: (word: string) => boolean = () => false) =>
  ({
    name: "listener",
    version: 1,
    mixins: [
      actor(tallyModel),
      subscriber(
        {
          [`${source}.Added`]: ({ word = "" }: TallyEvent, { stream: id, version }): Effect[] =>
            word === "silent" ? [] : [{ action: "v1.listener.note", params: { id, word: `${word}${version}` } }],
        },
        { maxAttempts: 2 },
      ),
    ],
    actions: {
      note: action({
        visibility: "public",
        params: { id: "string", word: "string" },
        returns: {},
        async handler(this: Room, ctx) {
          const { id, word } = ctx.params;
          if (refuses(word)) throw new Rejected("NOT_HEARD", `It will not hear ${word}`);
          await this.act(ctx, id, () => [{ type: "Added", amount: 1, word }]);
          return {};
        },
      }),
      heard: action({
        visibility: "public",
        params: { id: "string" },
        returns: { sum: "number", words: { type: "array", items: "string" } },
        async handler(this: Room, { params: { id } }) {
          const { sum, words } = (await this.peek(id)) ?? { sum: 0, words: [] };
          return { sum, words };
        },
      }),
    },
  }) satisfies ServiceSchema;

export default listenerRoom();
