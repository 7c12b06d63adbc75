import type { ServiceSchema } from "moleculer";
import { Rejected } from "./core/errors.ts";
import { id } from "./core/ids.ts";
import { action } from "./core/params.ts";
import type { Commit, EventStore } from "./storage/event-store.ts";

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

const page = {
  after: { type: "number", integer: true, min: 0, convert: true, default: 0 },
  limit: { type: "number", integer: true, min: 1, max: 200, convert: true, default: 50 },
} as const;

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

/** What a room with a record answers about it: the whole log in its order, and one stream's history. */
export const recordActions = (store: () => EventStore): ServiceSchema["actions"] => ({
  commits: action({
    visibility: "public",
    params: page,
    returns: {
      items: { type: "array", items: { type: "object", props: { position: "number", ...recorded } } },
      next: { type: "number", optional: true },
    },
    async handler(ctx) {
      const { after, limit } = ctx.params;
      const items = (await store().log(after!, limit!)).map((commit) => ({ position: commit.position, ...toRecorded(commit) }));
      return items.length === limit ? { items, next: items.at(-1)!.position } : { items };
    },
  }),
  history: action({
    visibility: "public",
    params: { id, ...page },
    returns: { items: { type: "array", items: { type: "object", props: recorded } }, next: { type: "number", optional: true } },
    async handler(ctx) {
      const { id, after, limit } = ctx.params;
      const commits = await store().read(id, after, limit);
      if (commits.length === 0 && after === 0) throw new Rejected("HISTORY_NOT_FOUND", `Nothing ever happened to ${id}`, 404);
      const items = commits.map(toRecorded);
      return items.length === limit ? { items, next: items.at(-1)!.version } : { items };
    },
  }),
});
