import type { Context, ServiceSchema } from "moleculer";
import type { Meta } from "../../mixins/core/context.ts";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import { freeze } from "../../mixins/core/freeze.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";

const whole = { type: "number", integer: true, min: 0, optional: true } as const;
const texts = { type: "array", items: "string", optional: true } as const;
const anything = { type: "object", optional: true, props: {} } as const;
const line = { type: "object", props: { product: "string|min:1", quantity: { type: "string", pattern: "^\\d+$" } } } as const;

/** Something that is held until it is let go: what a request waits for. */
export const latch = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  return { promise, resolve, reached, reach };
};

/** A room that says what reached it, and one action for each way in which things go wrong. */
export const echo = (held = latch()): ServiceSchema => {
  const kept = new Map<string, { id: string; version: number }>();
  const said = ({ user: _, ...meta }: Meta) => meta; // who asks is another matter
  const told = (ctx: Context<object, Meta>) => ({ params: { ...ctx.params }, meta: said(ctx.meta), requestId: ctx.requestID ?? "" });
  const answer = { params: "object", meta: "object", requestId: "string" } as const;
  return {
    name: "echo",
    version: 1,
    actions: {
      find: action({
        rest: "GET /",
        visibility: "published",
        permission: "anyone",
        params: { limit: whole, open: "boolean|optional", tags: texts, from: "string|optional" },
        returns: answer,
        handler: told,
      }),
      get: action({
        rest: "GET /:id",
        visibility: "published",
        permission: "anyone",
        params: { id },
        returns: { id, version: "number" },
        handler(ctx) {
          const { id } = ctx.params;
          if (!kept.has(id)) kept.set(id, freeze({ id, version: 3 }));
          return kept.get(id)!;
        },
      }),
      make: action({
        rest: "POST /",
        http: { status: 201, location: "/api/v1/echo/{id}" },
        visibility: "published",
        permission: "anyone",
        params: { id, lines: { type: "array", items: line, max: 10, optional: true }, any: anything },
        returns: { id, version: "number", meta: "object" },
        handler: (ctx) => ({ id: ctx.params.id, version: 1, meta: said(ctx.meta) }),
      }),
      change: action({
        rest: "PATCH /:id",
        http: { ifMatch: "required" },
        visibility: "published",
        permission: "anyone",
        params: { id, name: "string|optional" },
        returns: answer,
        handler: told,
      }),
      table: action({
        rest: "GET /table",
        http: { csv: true, cacheControl: "private, max-age=60" },
        visibility: "published",
        permission: "anyone",
        params: {},
        returns: { items: { type: "array", items: "object" } },
        handler: () => ({
          items: [
            { name: 'Nut, "M6"', due: "-2.5" },
            { name: "=1+1", due: "3", note: "two\nlines" },
          ],
        }),
      }),
      long: action({
        rest: "GET /long",
        visibility: "published",
        permission: "anyone",
        params: {},
        returns: { text: "string" },
        handler: () => ({ text: "banyan ".repeat(1_000) }),
      }),
      hold: action({
        rest: "POST /hold",
        visibility: "published",
        permission: "anyone",
        params: {},
        returns: { held: "boolean" },
        async handler() {
          held.reach();
          await held.promise;
          return { held: true };
        },
      }),
      break: action({
        rest: "GET /break",
        visibility: "published",
        permission: "anyone",
        params: { how: { type: "enum", values: ["bug", "refused", "later", "elsewhere", "text"] } },
        returns: {},
        async handler(ctx) {
          switch (ctx.params.how) {
            case "bug":
              throw new Error("SQLITE_BUSY at /var/lib/secret.db");
            case "refused":
              throw new Rejected("STOCK_SHORT", "There are 3 left", 409, { available: "3" });
            case "later":
              throw new Unavailable("ACTOR_BUSY", "Too many wait already");
            case "elsewhere":
              return ctx.call("v1.nowhere.get");
            default:
              throw Object.assign(new Error("no such table: users"), { code: 404, type: "SQLITE_ERROR" });
          }
        },
      }),
      hidden: action({ rest: "GET /hidden", visibility: "public", params: {}, returns: {}, handler: () => ({}) }),
    },
  };
};
