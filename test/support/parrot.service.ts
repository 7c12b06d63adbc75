import { setTimeout as delay } from "node:timers/promises";
import type { ServiceSchema } from "moleculer";
import { Conflict, Rejected, Unavailable } from "../../mixins/core/errors.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";

const wait = { type: "number", integer: true, min: 0, max: 60_000, optional: true, convert: true } as const;

/** A room without a store, for tests of how calls travel: it says which node answered, after a while, and fails in every way. */
export default {
  name: "parrot",
  version: 1,
  actions: {
    say: action({
      rest: "GET /:id",
      visibility: "published",
      permission: "anyone",
      params: { id, wait },
      returns: { id, node: "string" },
      async handler(ctx) {
        const { id, wait = 0 } = ctx.params;
        if (wait > 0) await delay(wait);
        return { id, node: ctx.broker.nodeID };
      },
    }),
    /** Says who asks, to whoever may. */
    name: action({
      rest: "GET /named/:id",
      visibility: "published",
      permission: "parrot.read",
      params: { id },
      returns: { node: "string", user: "string" },
      handler: (ctx) => ({ node: ctx.broker.nodeID, user: ctx.meta.user!.id }),
    }),
    /** Has another room of its kind say it: a call within a call. */
    tell: action({
      rest: "GET /told/:id",
      visibility: "published",
      permission: "anyone",
      params: { id, wait },
      returns: { id, node: "string", told: "string" },
      async handler(ctx) {
        const { id, wait } = ctx.params;
        const { node } = await ctx.call<{ node: string }, object>("v1.parrot.say", { id: `${id}-told`, ...(wait && { wait }) });
        return { id, node: ctx.broker.nodeID, told: node };
      },
    }),
    repeat: action({
      visibility: "public",
      params: { text: "string", times: "number" },
      returns: { text: "string" },
      handler: (ctx) => ({ text: ctx.params.text.repeat(ctx.params.times) }),
    }),
    fail: action({
      rest: "GET /failing",
      visibility: "published",
      permission: "anyone",
      params: { how: { type: "enum", values: ["refused", "conflict", "later", "store", "bug", "text"] }, id: "string|optional" },
      returns: {},
      async handler(ctx) {
        switch (ctx.params.how) {
          case "refused":
            throw new Rejected("STOCK_SHORT", "Only 3 are free", 422, { available: "3" });
          case "conflict":
            throw new Conflict("deal-1", 7);
          case "later":
            throw new Unavailable("ACTOR_BUSY", "Too many wait already", { waiting: 256 });
          case "store":
            throw new Unavailable("STORE_UNAVAILABLE", "The store does not answer");
          case "bug":
            throw new TypeError("secret is not a function");
          default:
            throw Object.assign(new Error("no such table: users"), { code: 404, type: "SQLITE_ERROR" });
        }
      },
    }),
  },
} satisfies ServiceSchema;
