import type { ServiceSchema } from "moleculer";
import { type Actor, actor } from "../../mixins/actor.mixin.ts";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import type { Saga, Step } from "../../mixins/core/saga.ts";
import { type Coordinating, coordinates } from "../../mixins/saga.mixin.ts";
import { type Tally, type TallyEvent, tallyModel } from "./tally.service.ts";

type Room = Actor<Tally, TallyEvent> & Coordinating;

/**
 * What is to happen to a trip, by step: it is refused; fails so many times, which this process counts; is done without
 * its caller hearing of it; or hangs the first time that it is asked.
 */
export type Plan = Record<string, "refused" | "unheard" | "hangs" | number>;

interface Trip {
  id: string;
  plan: Plan;
}

const step = (name: string, way: "+" | "-") => (trip: Trip) => ({ action: "v1.trips.step", params: { ...trip, step: `${name}${way}` } });

/** A seat and a room are held, and can be let go; once it is paid, the ticket is printed until it is. */
const steps: Step<Trip>[] = [
  { name: "seat", do: step("seat", "+"), undo: step("seat", "-"), retry: 2, keep: ({ number }: { number: number }) => number },
  { name: "room", do: step("room", "+"), undo: step("room", "-"), retry: 1_000 },
  { name: "pay", do: (trip, { seat }) => ({ action: "v1.trips.step", params: { ...trip, step: "pay+", more: `seat ${seat}` } }) },
  { name: "print", do: step("print", "+") },
];

const begun = (id: string, plan: Plan) => ({ id: `trip~${id}`, saga: "trip", input: { id, plan } });
const begins = ({ word }: TallyEvent, id: string) => (word?.startsWith("{") ? begun(id, JSON.parse(word)) : undefined);
const failures = new Map<string, number>();
const plan = { plan: { type: "object" } } as const;

export default {
  name: "trips",
  version: 1,
  mixins: [actor(tallyModel), coordinates([{ name: "trip", steps }] as unknown as Saga<never>[], begins)],
  actions: {
    /** Only says that the trip is to be made: whoever finds that makes it. */
    ask: action({
      visibility: "public",
      params: { id: "string", ...plan },
      returns: {},
      async handler(this: Room, ctx) {
        await this.act(ctx, ctx.params.id, () => [{ type: "Added", amount: 0, word: JSON.stringify(ctx.params.plan) }]);
        return {};
      },
    }),
    make: action({
      visibility: "public",
      params: { id: "string", ...plan, patience: "number|optional" },
      returns: { status: "string" },
      async handler(this: Room, ctx) {
        const { id, plan, patience } = ctx.params;
        await this.act(ctx, id, () => [{ type: "Added", amount: 0, word: JSON.stringify(plan) }]);
        return { status: (await this.pursue(ctx, begun(id, plan as Plan), patience))?.status ?? "on its way" };
      },
    }),
    step: action({
      visibility: "protected",
      params: { id: "string", step: "string", more: "string|optional", ...plan },
      returns: { number: "number" },
      async handler(this: Room, ctx) {
        const { id, step, more } = ctx.params;
        const fate = (ctx.params.plan as Plan)[step];
        const words = (await this.peek(id))?.words ?? [];
        if (fate === "refused") throw new Rejected("TRIP_REFUSED", `${step} is refused`);
        if (typeof fate === "number") {
          const failed = (failures.get(id + step) ?? 0) + 1;
          failures.set(id + step, failed);
          if (failed <= fate) throw new Unavailable("TRIP_DOWN", `${step} is down`);
        }
        if (fate === "hangs" && !words.includes(`${step}?`)) {
          await this.act(ctx, id, () => [{ type: "Added", amount: 1, word: `${step}?` }], { key: null });
          await new Promise(() => {});
        }
        await this.act(ctx, id, () => [{ type: "Added", amount: 1, word: more ? `${step} ${more}` : step }]);
        if (fate === "unheard") throw new Unavailable("TRIP_DOWN", `nobody hears of ${step}`);
        return { number: 7 };
      },
    }),
    words: action({
      visibility: "public",
      params: { id: "string" },
      returns: { words: { type: "array", items: "string" } },
      async handler(this: Room, { params: { id } }) {
        return { words: ((await this.peek(id))?.words ?? []).filter((word) => !word.startsWith("{")) };
      },
    }),
  },
} satisfies ServiceSchema;
