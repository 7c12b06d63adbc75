import type { Context, Service, ServiceSchema } from "moleculer";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { roomsAsked } from "../../mixins/rooms.asked.ts";

const optional = { type: "string", optional: true } as const;
const status = { type: "enum", values: ["running", "undoing", "completed", "undone"] } as const;
const row = { room: "string", id: "string", saga: "string", status, owner: "string", at: "string" } as const;
const room = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;
const id = { type: "string", min: 1, max: 200 } as const;

const detail = {
  ...{ room: "string", id: "string", saga: "string", status, owner: "string", version: "number", cancelled: "boolean" },
  ...{ done: { type: "array", items: "string" }, undone: { type: "array", items: "string" } },
  ...{ reason: optional, code: optional, stuck: { type: "object", optional: true, props: { step: "string", error: "string" } } },
} as const;

type Detail = Record<string, never>;

/** Asks the rooms one after another for the saga; the first that has it answers. */
const ask = async (service: Service, ctx: Context<{ room?: string; id: string }>, verb: string, params: object) => {
  for (const room of roomsAsked(service.broker, "sagas", ctx.params.room)) {
    try {
      return { room, ...(await ctx.call<Detail, object>(`v1.${room}.sagas.${verb}`, params)) } as never;
    } catch (error) {
      if ((error as { type?: string }).type !== "SAGA_NOT_FOUND") throw error;
    }
  }
  throw new Rejected("SAGA_NOT_FOUND", `There is no saga ${ctx.params.id}`, 404);
};

/** All rooms' sagas in one place, for whoever operates them. */
export default {
  name: "sagas",
  version: 1,
  actions: {
    list: action({
      rest: "GET /",
      visibility: "published",
      permission: "sagas.read",
      params: {
        status: { ...status, default: "running" },
        room: { ...room, optional: true },
        after: { type: "string", max: 200, default: "" },
        limit: { type: "number", integer: true, min: 1, max: 200, default: 50, convert: true },
      },
      returns: { items: { type: "array", items: { type: "object", props: row } }, next: { type: "string", optional: true } },
      async handler(this: Service, ctx) {
        const { status, room, after, limit } = ctx.params;
        const pages = await Promise.all(
          roomsAsked(this.broker, "sagas", room).map(async (room) => {
            const { items } = await ctx.call<{ items: { id: string }[] }, object>(`v1.${room}.sagas.list`, { status, after, limit });
            return items.map((saga) => ({ room, ...saga }));
          }),
        );
        const items = pages
          .flat()
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .slice(0, limit);
        return { items, ...(items.length === limit && { next: items.at(-1)!.id }) } as never;
      },
    }),
    get: action({
      rest: "GET /:id",
      visibility: "published",
      permission: "sagas.read",
      params: { id, room: { ...room, optional: true } },
      returns: detail,
      handler(this: Service, ctx) {
        return ask(this, ctx, "get", { id: ctx.params.id });
      },
    }),
    /** Ends the wait of one that is stuck: it tries again now. */
    retry: action({
      rest: "POST /:id/retry",
      visibility: "published",
      permission: "sagas.operate",
      params: { id, room: { ...room, optional: true } },
      returns: detail,
      handler(this: Service, ctx) {
        return ask(this, ctx, "retry", { id: ctx.params.id });
      },
    }),
    cancel: action({
      rest: "POST /:id/cancel",
      visibility: "published",
      permission: "sagas.operate",
      params: { id, room: { ...room, optional: true }, reason: { type: "string", min: 1, max: 500 } },
      returns: detail,
      handler(this: Service, ctx) {
        const { id, reason } = ctx.params;
        return ask(this, ctx, "cancel", { id, reason });
      },
    }),
  },
} satisfies ServiceSchema;
