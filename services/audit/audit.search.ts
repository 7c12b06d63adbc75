import { Rejected } from "../../mixins/core/errors.ts";
import type { AuditRow, AuditStore, Place } from "../../mixins/storage/audit-store.ts";
import type { Entry } from "./audit.entries.ts";

export interface Search {
  readonly limit: number;
  readonly after?: string;
  readonly user?: string;
  readonly resource?: string;
  readonly room?: string;
  readonly action?: string;
  readonly result?: string;
  readonly from?: string;
  readonly to?: string;
}

const LOOKED_AT = 2_000; // entries, at most, for one page
const PART = 500;
const PLACE = /^(\d{4}-\d\d-\d\d)~(\d{1,12})$/;

const placeOf = (text: string): Place => {
  const [, day, n] = PLACE.exec(text) ?? [];
  if (!day) throw new Rejected("CURSOR_INVALID", "after takes what next gave", 400);
  return { day, n: Number(n) };
};

/** The latest that fit, behind a place. It may answer with fewer than the limit and go on: user and resource have an index, the rest is looked for. */
export const search = async (store: AuditStore, wanted: Search): Promise<{ items: AuditRow[]; next?: string }> => {
  const { limit, user, resource, room, action, result, from, to } = wanted;
  const fits = ({ body }: AuditRow) => {
    const entry = JSON.parse(body) as Entry;
    return (
      (user === undefined || entry.user === user) &&
      (room === undefined || entry.room === room) &&
      (result === undefined || entry.result === result) &&
      (action === undefined || entry.action === action || entry.types?.some((type) => `${entry.room}.${type}` === action))
    );
  };
  const items: AuditRow[] = [];
  let before = wanted.after === undefined ? undefined : placeOf(wanted.after);
  for (let looked = 0; looked < LOOKED_AT; looked += PART) {
    const found = await store.find({ user, resource, from, to, before }, PART);
    for (const row of found) {
      before = { day: row.day, n: row.n };
      if (fits(row)) items.push(row);
      if (items.length === limit) break;
    }
    if (items.length === limit) break;
    if (found.length < PART) return { items };
  }
  return { items, next: `${before!.day}~${before!.n}` };
};
