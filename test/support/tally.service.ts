import type { ServiceSchema } from "moleculer";
import { type Actor, actor } from "../../mixins/actor.mixin.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import type { Model } from "../../mixins/core/model.ts";
import { action } from "../../mixins/core/params.ts";

/** The plainest room there is: what was added to a count, and the words that came with it. */
export type TallyEvent = { type: "Added"; amount: number; word?: string };

export interface Tally {
  sum: number;
  words: readonly string[];
}

export const tallyModel: Model<Tally, TallyEvent> = {
  initial: { sum: 0, words: [] },
  evolve: ({ sum, words }, { amount, word }) => ({ sum: sum + amount, words: word ? [...words.slice(-99), word] : words }),
};

const tally = { id: "string", version: "number", sum: "number", words: { type: "array", items: "string" } } as const;
type Room = Actor<Tally, TallyEvent>;

export default {
  name: "tally",
  version: 1,
  mixins: [actor(tallyModel)],
  actions: {
    /** Nothing where the amount is 0; refused where the sum would fall below 0. */
    add: action({
      visibility: "public",
      params: { id: "string", amount: "number", word: "string|optional" },
      returns: tally,
      handler(this: Room, ctx) {
        const { id, amount, word } = ctx.params;
        return this.act(ctx, id, ({ sum }) => {
          if (sum + amount < 0) throw new Rejected("TALLY_EMPTY", `Only ${sum} are there`);
          return amount === 0 ? [] : [{ type: "Added", amount, ...(word !== undefined && { word }) }];
        });
      },
    }),
    get: action({
      visibility: "public",
      params: { id: "string", at: "number|optional" },
      returns: tally,
      async handler(this: Room, { params: { id, at } }) {
        const found = at === undefined ? await this.peek(id) : await this.at(id, at);
        if (!found) throw new Rejected("TALLY_NOT_FOUND", "There is no such tally", 404);
        return found;
      },
    }),
  },
} satisfies ServiceSchema;
