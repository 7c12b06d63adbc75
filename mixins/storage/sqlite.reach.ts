import type { DatabaseSync } from "node:sqlite";

/** A stream, and its version at a position of the log. */
export interface Reach {
  readonly stream: string;
  readonly version: number;
}

/**
 * The version that streams of a room had at a position of its log, in the order of their names, at most `limit`: a stream's last
 * commit is most often before it, else the chain leads back. 0 where a stream began behind it; of a document only its last write is
 * known.
 */
export const positionsOf = (db: DatabaseSync, position: number, after: string, limit: number): Reach[] => {
  if (hasTable(db, "commits")) return ofCommits(db, position, after, limit);
  if (hasTable(db, "collection")) return ofDocuments(db, position, after, limit);
  return [];
};

const ofCommits = (db: DatabaseSync, position: number, after: string, limit: number): Reach[] => {
  const heads = db.prepare("SELECT stream, version, position FROM commits_heads WHERE stream > ? ORDER BY stream LIMIT ?");
  const before = db.prepare("SELECT p.version, p.position FROM commits c JOIN commits p ON p.position = c.before WHERE c.position = ?");
  return heads.all(after, limit).map((head) => {
    let at = head as { version: number; position: number } | undefined;
    while (at && at.position > position) at = before.get(at.position) as typeof at;
    return { stream: head.stream as string, version: at?.version ?? 0 };
  });
};

const ofDocuments = (db: DatabaseSync, position: number, after: string, limit: number): Reach[] =>
  db
    .prepare("SELECT id AS stream, position, body ->> 'version' AS version FROM collection WHERE id > ? ORDER BY id LIMIT ?")
    .all(after, limit)
    .map((row) => ({ stream: row.stream as string, version: (row.position as number) <= position ? (row.version as number) : 0 }));

/** Where a room's log ends, and how far its streams have come there: what a follower has not reached of them is behind its cursor. */
export const endOf = (db: DatabaseSync): { position: number; streams: Iterable<Reach> } => {
  const table = ["commits", "collection"].find((name) => hasTable(db, name));
  if (!table) return { position: 0, streams: [] };
  const { position } = db.prepare(`SELECT coalesce(max(position), 0) AS position FROM ${table}`).get() as { position: number };
  const sql =
    table === "commits"
      ? "SELECT stream, version FROM commits_heads"
      : "SELECT id AS stream, body ->> 'version' AS version FROM collection";
  return { position, streams: db.prepare(sql).iterate() as Iterable<unknown> as Iterable<Reach> };
};

export const hasTable = (db: DatabaseSync, name: string): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
