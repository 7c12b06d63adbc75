import type { Context, Service, ServiceSchema } from "moleculer";
import { action } from "../../mixins/core/params.ts";
import { roomsAsked } from "../../mixins/rooms.asked.ts";

const room = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;
const letter = {
  type: "object",
  props: {
    ...{ room: "string", follower: "string", source: "string", stream: "string", version: "number", type: "string" },
    ...{ attempts: "number", error: "string", stack: { type: "string", optional: true }, at: "string" },
  },
} as const;
const address = {
  /** The room that could not take the event in, its follower, and whose stream waits. */
  ...{ room, follower: { type: "string", min: 1, max: 100 }, source: room, stream: { type: "string", min: 1, max: 200 } },
} as const;

type Letter = { stream: string };

const pass = async (ctx: Context<{ room: string }>, verb: string) => {
  const { room, ...params } = ctx.params;
  roomsAsked(ctx.broker, "follows", room);
  return { room, ...(await ctx.call<Letter, object>(`v1.${room}.deadLetters.${verb}`, params)) } as never;
};

/** The events that a room could not take in, of all rooms in one place. Each holds up its stream until it is replayed or discarded. */
export default {
  name: "events",
  version: 1,
  actions: {
    "deadLetters.list": action({
      rest: "GET /dead-letters",
      visibility: "published",
      permission: "events.read",
      params: { room: { ...room, optional: true } },
      returns: { items: { type: "array", items: letter } },
      async handler(this: Service, ctx) {
        const asked = roomsAsked(this.broker, "follows", ctx.params.room);
        const lists = await Promise.all(
          asked.map(async (room) => {
            const { items } = await ctx.call<{ items: Letter[] }>(`v1.${room}.deadLetters.list`);
            return items.map((item) => ({ room, ...item }));
          }),
        );
        return { items: lists.flat() } as never;
      },
    }),
    /** Tries the event again, and all that wait behind it. */
    "deadLetters.replay": action({
      rest: "POST /dead-letters/replay",
      visibility: "published",
      permission: "events.operate",
      params: address,
      returns: letter.props,
      handler(this: Service, ctx) {
        return pass(ctx, "replay");
      },
    }),
    /** Passes over the event and goes on with what waits behind it. */
    "deadLetters.discard": action({
      rest: "POST /dead-letters/discard",
      visibility: "published",
      permission: "events.operate",
      params: address,
      returns: letter.props,
      handler(this: Service, ctx) {
        return pass(ctx, "discard");
      },
    }),
  },
} satisfies ServiceSchema;
