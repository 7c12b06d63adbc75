import type { ServiceSchema } from "moleculer";
import { Rejected } from "./core/errors.ts";
import { id } from "./core/ids.ts";
import { action } from "./core/params.ts";
import { isWithin, type Kept } from "./core/policy.ts";
import type { Commit, EventStore, Page } from "./storage/event-store.ts";

interface Peeking {
  peek(id: string): Promise<Kept | undefined>;
}

const event = { type: "object", props: { type: "string" } } as const; // with the fields of its type: see docs/events.md
const optional = { type: "string", optional: true } as const;

/** One commit as the world may see it: what happened, when, and who asked in the course of what. */
export const recorded = {
  stream: "string",
  version: "number",
  at: "string",
  occurredAt: "string",
  by: optional,
  request: optional,
  cause: optional,
  events: { type: "array", items: event },
} as const;

const limit = { type: "number", integer: true, min: 1, max: 200, convert: true, default: 50 } as const;
const after = { type: "number", integer: true, min: 0, convert: true, default: 0 } as const;
const place = { type: "string", max: 200, pattern: "^[A-Za-z0-9_~@-]*$", convert: true, default: "" } as const;

/** Without the caller's keys and our chain, which are nobody's business outside the store. */
export const toRecorded = ({ stream, version, at, occurredAt, by, request, cause, events }: Commit) => ({
  stream,
  version,
  at: new Date(at).toISOString(),
  occurredAt: new Date(occurredAt).toISOString(),
  ...(by && { by }),
  ...(request && { request }),
  ...(cause && { cause }),
  events: [...events],
});

/** What a room with a record answers about it: all of it, and one stream's history. */
export const recordActions = (store: () => EventStore): ServiceSchema["actions"] => ({
  commits: action({
    visibility: "public",
    /** `after`: the `next` of the page before. Each stream's commits stand in their order; no other order is promised. */
    params: { after: place, limit },
    returns: { items: { type: "array", items: { type: "object", props: recorded } }, next: optional },
    async handler(ctx) {
      const { after, limit } = ctx.params;
      const { commits, next } = await store().record(after!, limit!);
      const items = commits.map(toRecorded);
      return next === after ? { items } : { items, next };
    },
  }),
  history: action({
    visibility: "public",
    params: { id, after, limit },
    returns: { items: { type: "array", items: { type: "object", props: recorded } }, next: { type: "number", optional: true } },
    kept: true,
    async handler(this: Peeking, ctx) {
      const { id, after, limit } = ctx.params;
      const { keepers } = ctx.locals;
      const hidden = keepers && !isWithin(keepers, (await this.peek(id)) ?? {});
      const page: Page = hidden ? [] : await store().read(id, after, limit);
      if (hidden || (page.length === 0 && after === 0)) throw new Rejected("HISTORY_NOT_FOUND", `Nothing ever happened to ${id}`, 404);
      const items = page.map(toRecorded);
      return page.more ? { items, next: items.at(-1)!.version } : { items };
    },
  }),
});
