import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { MOVING, RESTORING } from "../runtime/data-dir.ts";
import { Refused } from "../runtime/refused.ts";
import { type AuditRow, TOGETHER } from "./audit-store.ts";
import { MANIFEST, roomFiles } from "./backup.ts";
import type { Parked } from "./cursor-store.ts";
import { type Entries, isViewer, type PortableParked, type PortableRecord, type Section, type Slice } from "./portable-record.ts";
import { openUnused } from "./restore.ts";
import { hasTable, positionsOf } from "./sqlite.reach.ts";

type Row = Record<string, unknown>;

/** Why a stream waits whose last commits a follower had not reached when the house moved: it was never tried. */
export const NOT_YET = "not yet taken in when it was moved here";

/** The record of an embedded system, in the files of its folder, which may be a backup's. */
export class SqlitePortableRecord implements PortableRecord {
  readonly name: string;
  readonly #dir: string;
  readonly #files = new Map<string, DatabaseSync>();
  readonly #statements = new Map<string, StatementSync>();

  constructor(dir: string) {
    this.#dir = resolve(dir);
    this.name = this.#dir;
  }

  async open(): Promise<void> {
    if (existsSync(join(this.#dir, RESTORING))) throw new Refused(`${this.#dir}: a restore was interrupted; run it again first`);
    if (existsSync(join(this.#dir, MOVING))) throw new Refused(`${this.#dir}: a move into this folder was interrupted; run it again first`);
    const names = roomFiles(this.#dir);
    if (names.length === 0) throw new Refused(`There is nothing in ${this.#dir}: it has no room's file`);
    const copied = existsSync(join(this.#dir, MANIFEST)); // a backup must stay as it is, to the byte
    for (const name of names) {
      const db = copied ? openCopy(join(this.#dir, name)) : openUnused(join(this.#dir, name));
      this.#files.set(name.slice(0, -".db".length), db);
      if (!copied) db.exec("BEGIN IMMEDIATE"); // held to the end: a node that starts meanwhile finds it locked
    }
  }

  /** To look at what this process has written itself. */
  async openBeside(): Promise<void> {
    for (const name of roomFiles(this.#dir)) {
      this.#files.set(name.slice(0, -".db".length), new DatabaseSync(join(this.#dir, name), { readOnly: true, timeout: 5_000 }));
    }
  }

  async rooms(): Promise<string[]> {
    return [...this.#files.keys()].sort();
  }

  async read<S extends Section>(room: string, section: S, after: string, limit: number): Promise<Slice<S>> {
    const db = this.#files.get(room);
    const table = TABLES[section];
    if (!db || !hasTable(db, table)) return { entries: [], next: after };
    const slice =
      section === "reached"
        ? this.#reached(db, after, limit)
        : section === "audit"
          ? auditOf(db, after, limit)
          : this.#rows(room, db, section, after, limit);
    return slice as Slice<Section> as Slice<S>;
  }

  async close(): Promise<void> {
    for (const db of this.#files.values()) db.close();
    this.#files.clear();
    this.#statements.clear();
  }

  #rows(room: string, db: DatabaseSync, section: Exclude<Section, "reached" | "audit">, after: string, limit: number): Slice {
    const key = `${room}/${section}`;
    const statement = this.#statements.get(key) ?? db.prepare(SQL[section]);
    this.#statements.set(key, statement);
    const rows = statement.all(Number(after), limit);
    const entries = rows.flatMap((row) => ENTRY[section](row) ?? []);
    return { entries, next: rows.length > 0 ? String(rows.at(-1)!.position) : after } as Slice;
  }

  /** A follower's cursor as the version of each stream before it. What is parked it has not reached. */
  #reached(db: DatabaseSync, after: string, limit: number): Slice<"reached"> {
    const cursors = db.prepare("SELECT follower, source, position FROM cursors ORDER BY follower, source");
    const [from = "", behind = "", last = ""] = after ? (JSON.parse(after) as string[]) : [];
    for (const { follower, source, position } of cursors.all() as { follower: string; source: string; position: number }[]) {
      const log = this.#files.get(source);
      const order = follower === from ? compare(source, behind) : compare(follower, from);
      if (isViewer(follower) || !log || order < 0) continue;
      const parked = new Map(parkedOf(db, follower, source).map(({ stream, version }) => [stream, version]));
      const streams = positionsOf(log, position, order === 0 ? last : "", limit);
      if (streams.length === 0) continue;
      const entries = streams
        .map(({ stream, version }) => ({
          follower,
          source,
          stream,
          version: Math.min(version, (parked.get(stream) ?? Number.POSITIVE_INFINITY) - 1),
        }))
        .filter(({ version }) => version > 0);
      return { entries, next: JSON.stringify([follower, source, streams.at(-1)!.stream]) };
    }
    return { entries: [], next: after };
  }
}

const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1);

const parkedOf = (db: DatabaseSync, follower: string, source: string): PortableParked[] =>
  db
    .prepare("SELECT body FROM parked WHERE follower = ? AND source = ?")
    .all(follower, source)
    .map(({ body }) => JSON.parse(body as string));

/** What was stored together, as its signature says; what none covers, for itself. */
const auditOf = (db: DatabaseSync, after: string, limit: number): Slice<"audit"> => {
  const [day, n] = after ? (JSON.parse(after) as [string, number]) : ["", 0];
  const find = db.prepare("SELECT * FROM audit WHERE (day, n) > (?, ?) ORDER BY day, n LIMIT ?");
  const rows = (find.all(day, n, Math.max(limit, 2 * TOGETHER)) as unknown as (AuditRow & { seal: string | null })[]).map(
    ({ seal, ...row }): AuditRow => ({ ...row, ...(seal !== null && { seal }) }),
  );
  const entries: { rows: AuditRow[] }[] = [];
  const open: AuditRow[] = [];
  for (const row of rows) {
    if (open.length === TOGETHER || (open[0] && open[0].day !== row.day)) entries.push({ rows: open.splice(0) });
    open.push(row);
    if (row.seal !== undefined) entries.push({ rows: open.splice(0) });
  }
  if (entries.length === 0 && open.length > 0) entries.push({ rows: open });
  const last = entries.at(-1)?.rows.at(-1);
  return { entries, next: last ? JSON.stringify([last.day, last.n]) : after };
};

const openCopy = (path: string) => new DatabaseSync(`${pathToFileURL(path)}?immutable=1`, { readOnly: true });

const TABLES: Record<Section, string> = {
  reached: "cursors",
  parked: "parked",
  audit: "audit",
  saga_commits: "saga_commits",
  commits: "commits",
  documents: "collection",
  keys: "keys",
};

const commitsOf = (table: string) => `
  SELECT c.position, c.stream, c.version, c.id, c.once, c.body, b.id AS after FROM ${table} c LEFT JOIN ${table} b ON b.position = c.before
  WHERE c.position > ? ORDER BY c.position LIMIT ?`;

const SQL = {
  parked: `SELECT number AS position, follower, body
    FROM (SELECT row_number() OVER (ORDER BY follower, source, stream) AS number, follower, body FROM parked) WHERE number > ? LIMIT ?`,
  saga_commits: commitsOf("saga_commits"),
  commits: commitsOf("commits"),
  documents: "SELECT position, body, change, removed FROM collection WHERE position > ? ORDER BY position LIMIT ?",
  keys: "SELECT number AS position, once, digest, answer, at FROM keys WHERE number > ? ORDER BY number LIMIT ?",
} as const;

const commitOf = ({ stream, version, id, once, after, body }: Row) => ({
  ...{ id, stream, version, ...(after !== null && { after }), ...(once !== null && { once }) },
  ...(JSON.parse(body as string) as object),
});

/** The document that an answer is about, if it says so: what a creation, a change or a removal answers. */
const documentIn = (answer: unknown): string | undefined => {
  const { id } = (typeof answer === "object" && answer !== null ? answer : {}) as { id?: unknown };
  return typeof id === "string" ? id : undefined;
};

const ENTRY: { [S in Exclude<Section, "reached" | "audit">]: (row: Row) => Entries[S] | undefined } = {
  parked: ({ follower, body }) => {
    const parked = JSON.parse(body as string) as Parked;
    return isViewer(follower as string) || parked.error === NOT_YET ? undefined : { follower: follower as string, ...parked };
  },
  saga_commits: (row) => commitOf(row) as unknown as Entries["saga_commits"],
  commits: (row) => commitOf(row) as unknown as Entries["commits"],
  documents: ({ body, change, removed }) => ({
    document: JSON.parse(body as string),
    change: JSON.parse(change as string),
    ...(removed !== null && { removed: removed as number }),
  }),
  keys: ({ once, digest, answer, at }) => {
    const document = documentIn(JSON.parse(answer as string));
    return {
      ...{ once: once as string, answer: answer as string, at: at as number },
      ...(digest !== null && { digest: digest as string }),
      ...(document !== undefined && { document }),
    };
  },
};
