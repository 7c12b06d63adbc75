import type { ServiceSchema } from "moleculer";
import { units } from "../../mixins/core/decimal.ts";
import { action } from "../../mixins/core/params.ts";
import { type Projecting, projection } from "../../mixins/projection.mixin.ts";
import type { Projection } from "../../mixins/view.sink.ts";
import type { TallyEvent } from "./tally.service.ts";

/** A tally as a list shows it: its latest word is its colour, all its words are its tags, and every amount goes to a day. */
export interface Shelf {
  id: string;
  sum: number;
  colour: string;
  tags: string[];
}

const days = (n: number) => `2011-01-0${1 + (Math.abs(n) % 7)}`;

export const shelves: Projection<Shelf, TallyEvent> = {
  name: "shelves",
  number: 1,
  source: "tally",
  columns: { colour: ({ colour }) => colour, size: ({ sum }) => String(sum).padStart(6, "0") },
  many: { tag: ({ tags }) => tags, day: ({ sum }) => [days(sum)] },
  order: "size",
  indexes: [["colour"]],
  show: ({ tags, ...shelf }) => shelf,
  rollup: {
    by: "day",
    dimensions: ["colour"],
    measures: ["sum", "thirds"],
    *figures(documents) {
      const sums = new Map<string, bigint>();
      for (const { colour, sum } of documents) sums.set(colour, (sums.get(colour) ?? 0n) + units(`${sum}.0000001`));
      for (const [key, sum] of [...sums].sort()) yield { dimension: "colour", key, currency: "GBP", measures: [sum, -sum / 3n] };
    },
  },
  on: {
    Added: (shelf, { amount, word = "" }, { stream: id }) => {
      if (word === "poison") throw new Error("cannot be shown");
      if (word === "gone") return undefined;
      const { sum = 0, tags = [] } = shelf ?? {};
      return { id, sum: sum + amount, colour: word || (shelf?.colour ?? ""), tags: [...new Set([...tags, ...(word ? [word] : [])])] };
    },
  },
};

const text = { type: "string", optional: true } as const;

/** A room with a list of another room's tallies. */
export const shelfRoom = (spec: Projection<Shelf, TallyEvent> = shelves) =>
  ({
    name: "shelf",
    version: 1,
    mixins: [projection(spec)],
    actions: {
      list: action({
        visibility: "public",
        params: {
          limit: "number|optional",
          after: text,
          colour: text,
          tag: text,
          from: text,
          to: text,
          seen: text,
          descending: "boolean|optional",
        },
        returns: { items: { type: "array", items: { type: "object", props: {} } }, next: text },
        handler(this: Projecting, { params: { colour, tag, ...page } }) {
          return this.view<Shelf>("shelves").page({ ...page, where: { colour, tag } });
        },
      }),
      dump: action({
        visibility: "public",
        params: {},
        returns: { lines: { type: "array", items: "string" } },
        async handler(this: Projecting) {
          return { lines: await this.view<Shelf>("shelves").dump() };
        },
      }),
    },
  }) satisfies ServiceSchema;

export default shelfRoom();
