import { Rejected } from "./core/errors.ts";
import { freeze } from "./core/freeze.ts";
import type { ViewStore } from "./storage/view-store.ts";
import type { Projection } from "./view.sink.ts";

export interface Page<D> {
  items: D[];
  next?: string;
}

/** What a list is asked for, as it comes from the outside. */
export interface PageParams {
  limit?: number;
  after?: string;
  from?: string;
  to?: string;
  descending?: boolean;
  seen?: string;
  where?: Record<string, string | undefined>;
}

/** One page of a view, frozen, and where the next one begins. Throws `CURSOR_INVALID`. */
export const readPage = <D extends object>(store: ViewStore<D>, { show }: Projection<D, never>, params: PageParams): Page<D> => {
  const { limit = 50, after, from, to, where = {}, descending = false } = params;
  const rows = store.find({ where, from, to, descending, after: after === undefined ? undefined : fromCursor(after), limit: limit + 1 });
  const items = rows.slice(0, limit).map(({ document }) => (show ? show(document) : document) as D);
  const last = rows[limit - 1];
  return freeze(rows.length > limit && last ? { items, next: toCursor(last.order, last.place) } : { items });
};

const toCursor = (order: string, place: number) => Buffer.from(JSON.stringify([order, place])).toString("base64url");

const fromCursor = (cursor: string): [string, number] => {
  try {
    const [order, place] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    if (typeof order === "string" && Number.isSafeInteger(place)) return [order, place as number];
  } catch {}
  throw new Rejected("CURSOR_INVALID", "after must be the `next` of a page before, as it was given", 400);
};
