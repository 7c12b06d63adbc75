import type { Collection, Filter, FindCursor, FindOptions } from "mongodb";
import { weigh } from "../core/freeze.ts";
import { type Commit, PAGE_SIZE } from "./event-store.ts";
import type { Row } from "./mongo.host.ts";

/** Commits of one stream that were sent together. */
export interface CommitRow extends Row {
  readonly stream: string;
  /** Without their stream, which they share. */
  readonly commits: Omit<Commit, "stream">[];
  /** Set until they are known to be on the bus. */
  readonly open?: 1;
  /** How often they were sent once more, their answer having been lost. */
  readonly again?: number;
}

/** How many commits one document holds at most. */
export const MOST = 64;

const DIGITS = 12;
const FIRST = 4; // versions that a stream is first asked for; most are short
const AHEAD = 500; // and that a long one is asked for at once

/** The order of these is the order of a stream's versions. */
export const idOf = (stream: string, version: number): string => `${stream}@${String(version).padStart(DIGITS, "0")}`;

/** As it is stored. A commit is made of what JSON knows, which is there again as it was. */
export const toRow = (commits: readonly Commit[], carried: boolean): CommitRow => {
  const { stream, version } = commits[0]!;
  const inside = commits.map(({ stream: _, ...commit }) => commit);
  return { _id: idOf(stream, version), stream, commits: inside, ...(carried && { open: 1 as const }) };
};

/** What is still to go on a page, and whether something did not. */
const newPage = () => ({ left: PAGE_SIZE, full: false });

/** Documents as long as they fit on the page; on an empty one the first does in any case. */
export const fitting = async (found: FindCursor<CommitRow>, page = newPage()): Promise<CommitRow[]> => {
  const rows: CommitRow[] = [];
  for await (const row of found) {
    const weight = weigh(row.commits);
    page.full = page.left < PAGE_SIZE && weight > page.left;
    if (page.full) break;
    page.left -= weight;
    rows.push(row);
  }
  return rows;
};

/**
 * A stream's commits after a version, oldest first, and no more of them than make a page, which ends where a document does. Documents are found by their `_id`s, which every server has an index
 * of: a document ends where the next one begins. Where `version` is known to be the end of one, nothing but what follows
 * is looked for, and most often that is one look for nothing.
 */
export const readStream = async (
  collection: Collection<CommitRow>,
  stream: string,
  version: number,
  limit: number,
  end: number | undefined,
  options: FindOptions = {},
): Promise<{ commits: Commit[]; more: boolean }> => {
  const commits: Commit[] = [];
  const page = newPage();
  let at = version;
  const take = (rows: CommitRow[]) => {
    for (const row of rows) {
      for (const commit of row.commits) {
        if (commit.version !== at + 1) continue;
        commits.push({ ...commit, stream });
        at = commit.version;
      }
    }
  };
  /** The document that holds the next version, which may have begun before it. */
  const fetchInside = async () => {
    const ids = { $gte: idOf(stream, Math.max(1, version + 2 - MOST)), $lte: idOf(stream, version + 1) };
    const filter = { stream, _id: ids } as Filter<CommitRow>;
    take(await collection.find(filter, options).sort({ _id: -1 }).limit(1).toArray());
    page.left -= weigh(commits);
    return at > version;
  };
  const fetch = async (from: number, to: number) => {
    const ids = Array.from({ length: to - from + 1 }, (_, n) => idOf(stream, from + n));
    take(await fitting(collection.find({ _id: { $in: ids } }, options).sort({ _id: 1 }), page));
    return at >= to;
  };
  const inside = version > 0 && version !== end;
  let more = inside ? await fetchInside() : await fetch(version + 1, version === 0 ? FIRST : version + 1);
  for (let ahead = FIRST * 4; more && !page.full && commits.length < limit; ahead = Math.min(ahead * 4, AHEAD)) {
    more = await fetch(at + 1, at + ahead);
  }
  return { commits: limit < commits.length ? commits.slice(0, limit) : commits, more: page.full || commits.length >= limit };
};
