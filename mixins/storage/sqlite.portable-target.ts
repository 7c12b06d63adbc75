import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MOVING, makeFolder, RESTORING } from "../runtime/data-dir.ts";
import { Refused } from "../runtime/refused.ts";
import { roomFiles, sync } from "./backup.ts";
import type { Parked } from "./cursor-store.ts";
import type { Commit } from "./event-store.ts";
import { begunBefore, type ShownSaga, sagaRows } from "./portable.sagas.ts";
import type {
  Entries,
  PortableAudit,
  PortableDocument,
  PortableKey,
  PortableParked,
  PortableReach,
  PortableTarget,
  Section,
  Slice,
} from "./portable-record.ts";
import { AUDIT_TABLE } from "./sqlite.audit-store.ts";
import { SqliteCursorStore } from "./sqlite.cursor-store.ts";
import { SqliteDocuments } from "./sqlite.documents.ts";
import { SqliteEventStore } from "./sqlite.event-store.ts";
import { SqliteFile } from "./sqlite.file.ts";
import { SqliteKeys } from "./sqlite.keys.ts";
import { NOT_YET, SqlitePortableRecord } from "./sqlite.portable-record.ts";
import { endOf } from "./sqlite.reach.ts";
import { SqliteSagaStore } from "./sqlite.saga-store.ts";

type Writers = { [S in Section]: (room: string, entries: readonly Entries[S][]) => Promise<unknown> };

/** An embedded system's folder, as it is filled from elsewhere. */
export class SqlitePortableTarget implements PortableTarget {
  readonly name: string;
  readonly #dir: string;
  readonly #mark: string;
  readonly #files = new Map<string, SqliteFile>();
  readonly #stores = new Map<string, { close(): Promise<void> }>();
  #reader?: SqlitePortableRecord;

  constructor(dir: string) {
    this.#dir = resolve(dir);
    this.name = this.#dir;
    this.#mark = join(this.#dir, MOVING);
  }

  async open(): Promise<void> {
    makeFolder(this.#dir);
  }

  async begin(from: string): Promise<void> {
    if (existsSync(this.#mark)) {
      const before = readFileSync(this.#mark, "utf8").trim();
      if (before !== from) throw new Refused(`${this.#dir} is being filled from ${before}; finish that, or delete the folder`);
      return;
    }
    if (roomFiles(this.#dir).length > 0 || existsSync(join(this.#dir, RESTORING)))
      throw new Refused(`${this.#dir} has data (${roomFiles(this.#dir).join(", ")}); name another folder`);
    writeFileSync(this.#mark, `${from}\n`, { flush: true });
    await sync(this.#dir);
    await sync(dirname(this.#dir));
  }

  async rooms(): Promise<string[]> {
    return (await this.#read()).rooms();
  }

  async read<S extends Section>(room: string, section: S, after: string, limit: number): Promise<Slice<S>> {
    return (await this.#read()).read(room, section, after, limit);
  }

  async place(room: string, section: Section): Promise<string> {
    const found = this.#file(room).db.prepare("SELECT place FROM moving WHERE section = ?").get(section);
    return (found?.place as string | undefined) ?? "";
  }

  async write<S extends Section>(room: string, section: S, entries: readonly Entries[S][], next: string): Promise<void> {
    await (this.#writers[section] as Writers[S])(room, entries);
    const file = this.#file(room);
    await file.write(() => file.db.prepare("INSERT OR REPLACE INTO moving VALUES (?, ?)").run(section, next));
  }

  async settle(): Promise<void> {
    await this.#closeStores();
  }

  async finish(): Promise<void> {
    for (const name of roomFiles(this.#dir)) await this.#placeFollowers(name.slice(0, -".db".length));
    await this.close();
    rmSync(this.#mark);
    await sync(this.#dir);
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
    await this.#closeStores();
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }

  readonly #writers: Writers = {
    reached: (room, entries) => this.#putReached(room, entries),
    parked: (room, entries) => this.#putParked(room, entries),
    audit: (room, entries) => this.#putAudit(room, entries),
    saga_commits: (room, entries) => this.#putSagas(room, entries),
    commits: (room, entries) => {
      const store = this.#open(`commits ${room}`, () => SqliteEventStore.open(room, "commits", this.#dir));
      return Promise.all(entries.map((commit) => store.append(commit)));
    },
    documents: (room, entries) => this.#putDocuments(room, entries),
    keys: (room, entries) => this.#putKeys(room, entries),
  };

  async #putReached(room: string, entries: readonly PortableReach[]) {
    const file = this.#file(room);
    this.#open(`cursors ${room}`, () => new SqliteCursorStore(room, this.#dir));
    const put = file.db.prepare("INSERT OR REPLACE INTO moving_reached VALUES (?, ?, ?, ?)");
    await file.write(() => entries.map(({ follower, source, stream, version }) => put.run(follower, source, stream, version)));
  }

  async #putParked(room: string, entries: readonly PortableParked[]) {
    const file = this.#file(room);
    this.#open(`cursors ${room}`, () => new SqliteCursorStore(room, this.#dir));
    const put = file.db.prepare("INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?)");
    await file.write(() =>
      entries.map(({ follower, ...parked }) => put.run(follower, parked.source, parked.stream, JSON.stringify(parked))),
    );
  }

  async #putAudit(room: string, entries: readonly PortableAudit[]) {
    const file = this.#file(room);
    file.define(AUDIT_TABLE);
    const put = file.db.prepare("INSERT OR IGNORE INTO audit VALUES (?, ?, ?, ?, ?, ?)");
    await file.write(() => {
      for (const { rows } of entries)
        for (const { day, n, body, prev, chain, seal } of rows) put.run(day, n, body, prev, chain, seal ?? null);
    });
  }

  async #putSagas(room: string, commits: readonly Commit[]) {
    const store = this.#open(`sagas ${room}`, () => new SqliteSagaStore(room, this.#dir));
    const find = this.#file(room).db.prepare("SELECT *, 0 AS version FROM sagas WHERE id = ?");
    const before = begunBefore(commits).flatMap((id) => (find.get(id) as unknown as ShownSaga | undefined) ?? []);
    const rows = new Map(sagaRows(commits, new Map(before.map((row) => [row.id, row]))).map((row) => [row.id, row]));
    const last = new Map(commits.map((commit) => [commit.stream, commit]));
    await Promise.all(
      commits.map((commit) =>
        store.append(commit as Commit<never>, last.get(commit.stream) === commit ? rows.get(commit.stream) : undefined),
      ),
    );
  }

  async #putDocuments(room: string, entries: readonly PortableDocument[]) {
    const file = this.#file(room);
    this.#open(`documents ${room}`, () => SqliteDocuments.open(room, this.#dir));
    const known = file.db.prepare("SELECT body ->> 'version' AS version FROM collection WHERE id = ?");
    const put = file.db.prepare("INSERT OR REPLACE INTO collection (id, body, change, removed) VALUES (?, ?, ?, ?)");
    await file.write(() => {
      for (const { document, change, removed } of entries) {
        if (((known.get(document._id)?.version as number | undefined) ?? 0) >= document.version) continue;
        put.run(document._id, JSON.stringify(document), JSON.stringify(change), removed ?? null);
      }
    });
  }

  async #putKeys(room: string, entries: readonly PortableKey[]) {
    const file = this.#file(room);
    new SqliteKeys(file); // its table
    const put = file.db.prepare("INSERT OR IGNORE INTO keys (once, digest, answer, at) VALUES (?, ?, ?, ?)");
    await file.write(() => entries.map(({ once, digest, answer, at }) => put.run(once, digest ?? null, answer, at)));
  }

  /** A follower goes on from the log's end; streams of which it has not reached all wait for it as if they had been parked, and are due. */
  async #placeFollowers(room: string) {
    const { db } = this.#file(room);
    this.#open(`cursors ${room}`, () => new SqliteCursorStore(room, this.#dir));
    const followers = db.prepare("SELECT DISTINCT follower, source FROM moving_reached").all() as { follower: string; source: string }[];
    const ends = followers.map(({ source }) => endOf(this.#file(source).db));
    const [move, park] = ["cursors VALUES (?, ?, ?)", "parked VALUES (?, ?, ?, ?)"].map((into) =>
      db.prepare(`INSERT OR REPLACE INTO ${into}`),
    );
    const known = db.prepare("SELECT version FROM moving_reached WHERE follower = ? AND source = ? AND stream = ?");
    const parked = db.prepare("SELECT 1 FROM parked WHERE follower = ? AND source = ? AND stream = ?");
    await this.#file(room).write(() => {
      for (const [i, { follower, source }] of followers.entries()) {
        for (const { stream, version } of ends[i]!.streams) {
          const reached = (known.get(follower, source, stream)?.version as number | undefined) ?? 0;
          if (reached >= version || parked.get(follower, source, stream)) continue;
          const waiting: Parked = {
            source,
            stream,
            version: reached + 1,
            attempts: 0,
            nextAt: Date.now(),
            type: "",
            error: NOT_YET,
            at: Date.now(),
          };
          park!.run(follower, source, stream, JSON.stringify(waiting));
        }
        move!.run(follower, source, ends[i]!.position);
      }
      db.exec("DROP TABLE moving; DROP TABLE moving_reached");
    });
  }

  /** A reader of what is there now; it sees what is written later as well, but for rooms that begin then. */
  async #read(): Promise<SqlitePortableRecord> {
    if (this.#reader) return this.#reader;
    this.#reader = new SqlitePortableRecord(this.#dir);
    await this.#reader.openBeside();
    return this.#reader;
  }

  #file(room: string): SqliteFile {
    const known = this.#files.get(room);
    if (known) return known;
    const file = SqliteFile.open(room, this.#dir);
    file.define(`
      CREATE TABLE IF NOT EXISTS moving (section TEXT PRIMARY KEY, place TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS moving_reached (
        follower TEXT NOT NULL, source TEXT NOT NULL, stream TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (follower, source, stream)
      ) STRICT, WITHOUT ROWID`);
    this.#files.set(room, file);
    return file;
  }

  #open<T extends { close(): Promise<void> }>(name: string, open: () => T): T {
    const known = this.#stores.get(name) as T | undefined;
    if (known) return known;
    const store = open();
    this.#stores.set(name, store);
    return store;
  }

  async #closeStores() {
    for (const store of this.#stores.values()) await store.close();
    this.#stores.clear();
  }
}
