import { hash } from "node:crypto";
import { Rejected } from "./core/errors.ts";
import { freeze } from "./core/freeze.ts";
import type { Place, ViewRow, ViewStore } from "./storage/view-store.ts";
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
  /** Whether the asker reaches the stream that `seen` names; one that he does not is as if it had never been. */
  reaches?: (stream: string) => Promise<boolean>;
  where?: Record<string, string | undefined>;
  /** Only what has one of these in its columns, a filter each; in the order as if it were one list. */
  anyOf?: readonly Record<string, string>[];
}

/** One page of a view, frozen, and where the next one begins. Throws `CURSOR_INVALID` where it is to go on in another list than it was given by. */
export const readPage = async <D extends object>(
  store: ViewStore<D>,
  { show }: Projection<D, never>,
  params: PageParams,
): Promise<Page<D>> => {
  const { limit = 50, after, from, to, where = {}, anyOf, descending = false } = params;
  const list = hash("sha1", JSON.stringify([descending, from, to, where, anyOf]), "base64url").slice(0, 8);
  const asked = { from, to, descending, after: after === undefined ? undefined : fromCursor(after, list), limit: limit + 1 };
  const fits = (one: Record<string, string>) => Object.entries(one).every(([name, value]) => (where[name] ?? value) === value);
  const ways = anyOf?.filter(fits) ?? [{}];
  const found = await Promise.all(ways.map((one) => store.find({ ...asked, where: { ...where, ...one } })));
  const rows = found.length === 1 ? found[0]! : merged(found, descending).slice(0, limit + 1);
  const items = rows.slice(0, limit).map(({ document }) => (show ? show(document) : document) as D);
  const last = rows[limit - 1];
  return freeze(rows.length > limit && last ? { items, next: toCursor(last.order, last.place, list) } : { items });
};

/** Of lists in one order the one that they make together: what stands in several stands there once. */
const merged = <D>(lists: readonly ViewRow<D>[][], descending: boolean): ViewRow<D>[] => {
  const all = new Map(lists.flat().map((row) => [row.place, row]));
  const before = (a: ViewRow<D>, b: ViewRow<D>) => (a.order === b.order ? a.place < b.place : a.order < b.order);
  return [...all.values()].sort((a, b) => (before(a, b) === descending ? 1 : -1));
};

const toCursor = (order: string, place: Place, list: string) => Buffer.from(JSON.stringify([order, place, list])).toString("base64url");

const fromCursor = (cursor: string, list: string): [string, Place] => {
  try {
    const [order, place, of] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    const isPlace = typeof place === "string" || Number.isSafeInteger(place);
    if (typeof order === "string" && isPlace && of === list) return [order, place as Place];
  } catch {}
  throw new Rejected("CURSOR_INVALID", "after must be the `next` of a page of this very list: the same order and filters", 400);
};
