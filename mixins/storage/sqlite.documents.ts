import { Rejected } from "../core/errors.ts";
import type {
  CollectionStore,
  Cursor,
  Find,
  IndexDeclaration,
  Looked,
  Page,
  Paging,
  RequestKey,
  Stamps,
  Stored,
} from "./collection-store.ts";
import type { Change, DocumentEvent, DocumentLog } from "./document-log.ts";
import { following, ofTombstone, told } from "./document-log.ts";
import type { Logged, Part } from "./event-store.ts";
import { type Plan, parseSort, planOf, type Sort } from "./query.plan.ts";
import { type Document, type Filter, matches, parse, type Query } from "./query.ts";
import { compareText, sortKey } from "./query.values.ts";
import { SqliteFile } from "./sqlite.file.ts";
import { SqliteIndexes } from "./sqlite.indexes.ts";
import { SqliteKeys } from "./sqlite.keys.ts";

const MAX_FOUND = 10_000; // documents in memory where a caller sets no limit, or the order is not an index's
const MAX_VISITED = 2_000; // documents that a page looks at; it may come back short, and go on
const TOMBSTONES_FOR = 90 * 86_400_000; // milliseconds

/**
 * A room's documents in its SQLite file: JSON by id, with the write that made each and a position that every write
 * raises. What is removed leaves a tombstone for 90 days at least, so that no delayed write brings it back and no
 * follower of the log misses it; each removal sweeps two that are older. `look`, `put` and `remove` belong inside one `SqliteFile.write`.
 */
export class SqliteDocuments implements CollectionStore, DocumentLog {
  readonly stamps: Stamps = this;
  readonly #file: SqliteFile;
  readonly #indexes: SqliteIndexes;
  readonly #row;
  readonly #change;
  readonly #position;
  readonly #end;
  readonly #insert;
  readonly #log;
  readonly #one;
  readonly #all;
  readonly #allDown;
  readonly #sweep;
  readonly #removed;
  #keys?: SqliteKeys;

  static open(room: string, dir?: string): SqliteDocuments {
    return new SqliteDocuments(SqliteFile.open(room, dir));
  }

  constructor(file: SqliteFile) {
    this.#file = file;
    const { db } = file;
    // AUTOINCREMENT: a position is never used twice, also after the document that had the last one is gone
    file.define("PRAGMA secure_delete = ON"); // what was overwritten is nowhere in the file
    file.define(`
      CREATE TABLE IF NOT EXISTS collection (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, change TEXT NOT NULL, removed INTEGER
      ) STRICT;
      CREATE INDEX IF NOT EXISTS collection_removed ON collection (removed) WHERE removed IS NOT NULL`);
    this.#indexes = new SqliteIndexes(file);
    this.#row = db.prepare("SELECT body, removed, change ->> 'occurredAt' AS occurred FROM collection WHERE id = ?");
    this.#change = db.prepare("SELECT change FROM collection WHERE id = ?");
    this.#position = db.prepare("SELECT position FROM collection WHERE id = ?");
    this.#end = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'collection'");
    this.#insert = db.prepare("INSERT OR REPLACE INTO collection (id, body, change, removed) VALUES (?, ?, ?, ?)");
    const commits = "SELECT position, body, change, removed FROM collection";
    this.#log = db.prepare(`${commits} WHERE position > ? ORDER BY position LIMIT ?`);
    this.#one = db.prepare(`${commits} WHERE id = ?`);
    const live = "SELECT id, body FROM collection WHERE removed IS NULL";
    this.#all = db.prepare(`${live} AND id > ? ORDER BY id`);
    this.#allDown = db.prepare(`${live} AND (?1 = '' OR id < ?1) ORDER BY id DESC`);
    this.#removed = db.prepare(
      "SELECT body FROM collection INDEXED BY collection_removed WHERE removed IS NOT NULL AND id > ? ORDER BY id LIMIT ?",
    );
    this.#sweep = db.prepare(
      "DELETE FROM collection WHERE position IN (SELECT position FROM collection WHERE removed < ? ORDER BY removed LIMIT 2)",
    );
  }

  declare(indexes: readonly IndexDeclaration[]): Promise<void> {
    return this.#file.write(() => this.#indexes.declare(this.#file.db, indexes));
  }

  write<T>(work: () => T, key?: RequestKey): Promise<T> {
    if (!key) return this.#file.write(work);
    const keys = this.#answers();
    return this.#file.write(() => keys.once(key.once, key.digest, Date.now(), work));
  }

  consult<T>(work: () => T): T {
    return work();
  }

  look(id: string): Looked | undefined {
    const row = this.#row.get(id);
    return row && { document: JSON.parse(row.body as string), removed: row.removed !== null, occurredAt: row.occurred as number };
  }

  get(id: string): Stored | undefined {
    const found = this.look(id);
    return found && !found.removed ? found.document : undefined;
  }

  /** Changes with every write to this document, and with no other. Cheap to ask: a stamp for what is made of it. */
  position(id: string): number {
    return (this.#position.get(id)?.position as number | undefined) ?? 0;
  }

  /** The position of the collection's last write: changes with every write, and never comes back to what it was. */
  last(): number {
    return (this.#end.get()?.seq as number | undefined) ?? 0;
  }

  put(document: Document, change: Change): Stored {
    const before = this.look(document._id);
    const stored = { ...document, version: (before?.document.version ?? 0) + 1 };
    this.#indexes.keep(before && !before.removed ? before.document : undefined, stored);
    this.#insert.run(stored._id, JSON.stringify(stored), this.#changed(document._id, change, before), null);
    return stored;
  }

  remove(id: string, change: Change): Stored | undefined {
    const before = this.look(id);
    if (!before || before.removed) return undefined;
    this.#indexes.keep(before.document, undefined);
    const tombstone = { ...ofTombstone(before.document), version: before.document.version + 1 };
    this.#insert.run(id, JSON.stringify(tombstone), this.#changed(id, change, before), change.at);
    this.#sweep.run(change.at - TOMBSTONES_FOR);
    return tombstone;
  }

  /** The change as it is stored. */
  #changed(id: string, change: Change, before: Looked | undefined): string {
    const last = before && (JSON.parse(this.#change.get(id)!.change as string) as Change);
    return JSON.stringify(following(change, last, before?.document.version ?? 0));
  }

  forget(id: string): void {
    this.#answers().forget(id);
  }

  /** The journal's turn is over with this: it held pages as they were. Where another process reads just now, the next one sees to it. */
  purge(): void {
    this.#file.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #answers(): SqliteKeys {
    this.#keys ??= new SqliteKeys(this.#file);
    return this.#keys;
  }

  /** Nothing else is written while this write runs. */
  hold(): void {}

  find({ query = {}, sort, limit, offset = 0 }: Find = {}): Stored[] {
    const filter = parse(query);
    const order = parseSort(sort);
    const plan = planOf(filter, order, this.#indexes.all());
    const ordered = plan ? plan.ordered : byId(order);
    const wanted = limit === undefined ? Number.POSITIVE_INFINITY : limit + offset;
    const found: Stored[] = [];
    if (wanted === 0) return found;
    for (const document of this.#candidates(plan, order.at(-1)!.down)) {
      if (!matches(filter, document)) continue;
      found.push(document);
      if (ordered && found.length === wanted) break;
      if (found.length > MAX_FOUND) throw new Rejected("QUERY_TOO_WIDE", `More than ${MAX_FOUND} documents match`, 400);
    }
    return (ordered ? found : inOrder(found, order)).slice(offset, wanted);
  }

  /** How many match. Reads all that an index leaves. */
  count(query: Query = {}): number {
    const filter = parse(query);
    let n = 0;
    for (const document of this.#candidates(planOf(filter, [], this.#indexes.all()), false)) if (matches(filter, document)) n++;
    return n;
  }

  /**
   * The next documents in an order that an index has, else it throws `QUERY_REFUSED`: a page never scans. It looks at
   * 2,000 documents at most, so where few of many match it may answer with fewer than `limit` and go on.
   */
  page({ query = {}, sort, after, limit }: Paging): Page {
    const filter = parse(query);
    const order = parseSort(sort);
    const plan = planFor(filter, order, this.#indexes.all());
    const documents: Stored[] = [];
    let [visited, last]: [number, Stored | undefined] = [0, undefined];
    for (const document of this.#candidates(plan, order.at(-1)!.down, after)) {
      if (documents.length === limit || visited === MAX_VISITED) {
        return { documents, next: { key: (plan?.by ?? []).map(({ path, down }) => sortKey(last!, path, down)).join(""), id: last!._id } };
      }
      visited++;
      last = document;
      if (matches(filter, document)) documents.push(document);
    }
    return { documents };
  }

  async log(after: number, limit: number): Promise<Logged<DocumentEvent>[]> {
    return this.#log.all(after, limit).map(toCommit);
  }

  async record(after: string, limit: number): Promise<Part<DocumentEvent>> {
    const commits = await this.log(Number(after), limit);
    return { commits, next: commits.length > 0 ? String(commits.at(-1)!.position) : after };
  }

  async removed(after: string, limit: number): Promise<Document[]> {
    return this.#removed.all(after, limit).map(({ body }) => JSON.parse(body as string) as Document);
  }

  async read(stream: string, version: number): Promise<Logged<DocumentEvent>[]> {
    return this.#one
      .all(stream)
      .map(toCommit)
      .filter((commit) => commit.version > version);
  }

  async end(): Promise<number> {
    return this.last();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  listen(listener: () => void): () => void {
    return this.#file.listen(listener);
  }

  *#candidates(plan: Plan | undefined, down: boolean, after?: Cursor): Generator<Stored> {
    if (!plan) {
      const rows = (down ? this.#allDown : this.#all).iterate(after?.id ?? "");
      for (const row of rows) yield JSON.parse(row.body as string);
      return;
    }
    const seen = new Set<string>();
    const from = after && { key: plan.prefix + after.key, id: after.id };
    for (const bounds of plan.bounds) {
      for (const { body } of this.#indexes.scan(plan.index, bounds, down, from)) {
        const document = JSON.parse(body) as Stored;
        if (!plan.ordered) {
          if (seen.has(document._id)) continue; // an array stands there under each of its elements
          seen.add(document._id);
        }
        yield document;
      }
    }
  }
}

const byId = (order: readonly Sort[]) => order.length === 1;

/** For a page only an index in the right order serves; none is needed where that is the ids' own. */
const planFor = (filter: Filter, order: readonly Sort[], indexes: Parameters<typeof planOf>[2]): Plan | undefined => {
  const plan = planOf(filter, order, indexes, true);
  if (!plan && !byId(order)) throw new Rejected("QUERY_REFUSED", "No index has this order", 400);
  return plan;
};

const inOrder = (documents: Stored[], order: readonly Sort[]): Stored[] =>
  documents
    .map((document) => ({ document, keys: order.map(({ path, down }) => sortKey(document, path, down)) }))
    .sort((a, b) => {
      for (const [i, { down }] of order.entries()) {
        const compared = compareText(a.keys[i]!, b.keys[i]!);
        if (compared !== 0) return down ? -compared : compared;
      }
      return 0;
    })
    .map(({ document }) => document);

const toCommit = ({ position, body, change, removed }: Record<string, unknown>): Logged<DocumentEvent> => {
  const { type, ...origin } = JSON.parse(change as string) as Change;
  const document = told(JSON.parse(body as string));
  const event: DocumentEvent = removed === null ? { type, document } : { type };
  return { ...origin, position: position as number, stream: document.id, version: document.version, events: [event] };
};
