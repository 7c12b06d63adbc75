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
  const tables = new Set(
    db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => name),
  );
  if (tables.has("commits")) return ofCommits(db, position, after, limit);
  if (tables.has("collection")) return ofDocuments(db, position, after, limit);
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

/** How far a cursor may stand in the log so that all before it has been reached; what a parked stream lacks waits elsewhere. */
export const cursorFor = (db: DatabaseSync, reached: ReadonlyMap<string, number>, parked: ReadonlySet<string>): number => {
  const tables = new Set(
    db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => name),
  );
  const sql = tables.has("commits")
    ? "SELECT position, stream, version FROM commits ORDER BY position"
    : tables.has("collection")
      ? "SELECT position, id AS stream, body ->> 'version' AS version FROM collection ORDER BY position"
      : undefined;
  let last = 0;
  for (const row of sql ? db.prepare(sql).iterate() : []) {
    const { stream, version, position } = row as { stream: string; version: number; position: number };
    if (version > (reached.get(stream) ?? 0) && !parked.has(stream)) break;
    last = position;
  }
  return last;
};
