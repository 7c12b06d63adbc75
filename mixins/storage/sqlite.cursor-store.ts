import type { CursorStore, Parked, Step } from "./cursor-store.ts";
import { SqliteFile } from "./sqlite.file.ts";

/** Cursors and parked streams in the follower's own SQLite file, beside the documents that they belong to. */
export class SqliteCursorStore implements CursorStore {
  readonly #file: SqliteFile;
  readonly #sql;

  constructor(room: string, dir?: string) {
    this.#file = SqliteFile.open(room, dir);
    const { db } = this.#file;
    this.#file.define(`
      CREATE TABLE IF NOT EXISTS cursors (
        follower TEXT NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (follower, source)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS parked (
        follower TEXT NOT NULL, source TEXT NOT NULL, stream TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (follower, source, stream)
      ) STRICT, WITHOUT ROWID`);
    this.#sql = {
      cursor: db.prepare("SELECT position FROM cursors WHERE follower = ? AND source = ?"),
      begin: db.prepare("INSERT INTO cursors VALUES (?, ?, 0) ON CONFLICT DO NOTHING"),
      move: db.prepare("UPDATE cursors SET position = ?4 WHERE follower = ?1 AND source = ?2 AND position = ?3"),
      rewind: db.prepare("UPDATE cursors SET position = ?3 WHERE follower = ?1 AND source = ?2 AND position > ?3"),
      park: db.prepare("INSERT INTO parked VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET body = ?4"),
      unpark: db.prepare("DELETE FROM parked WHERE follower = ? AND source = ? AND stream = ? AND body ->> 'version' = ?"),
      parked: db.prepare("SELECT body FROM parked WHERE follower = ?1 AND (?2 IS NULL OR source = ?2)"),
      one: db.prepare("SELECT body FROM parked WHERE follower = ? AND source = ? AND stream = ?"),
      drop: ["cursors", "parked"].map((table) => db.prepare(`DELETE FROM ${table} WHERE follower = ?`)),
    };
  }

  async cursor(follower: string, source: string): Promise<string> {
    const position = this.#sql.cursor.get(follower, source)?.position as number | undefined;
    return position ? String(position) : "";
  }

  advance(follower: string, source: string, from: string, to: string, { park, unpark }: Step, write: () => void): Promise<boolean> {
    return this.#file.write(() => {
      this.#sql.begin.run(follower, source);
      if (this.#sql.move.run(follower, source, Number(from), Number(to)).changes !== 1) return false;
      for (const { stream, version } of unpark) this.#sql.unpark.run(follower, source, stream, version);
      for (const parked of park) this.#sql.park.run(follower, source, parked.stream, JSON.stringify(parked));
      write();
      return true;
    });
  }

  async parked(follower: string, source?: string): Promise<Parked[]> {
    return this.#sql.parked.all(follower, source ?? null).map(({ body }) => JSON.parse(body as string));
  }

  resume(follower: string, source: string, stream: string, version: number): Promise<boolean> {
    return this.#file.write(() => {
      const row = this.#sql.one.get(follower, source, stream);
      if (!row) return false;
      const parked: Parked = { ...JSON.parse(row.body as string), version, attempts: 0, nextAt: Date.now() };
      this.#sql.park.run(follower, source, stream, JSON.stringify(parked));
      return true;
    });
  }

  async rewind(follower: string, source: string, first: number, versions: ReadonlyMap<string, number>): Promise<void> {
    await this.#file.write(() => {
      this.#sql.rewind.run(follower, source, first - 1);
      for (const { body } of this.#sql.parked.all(follower, source)) {
        const parked: Parked = JSON.parse(body as string);
        const version = Math.min(parked.version, versions.get(parked.stream) ?? parked.version);
        this.#sql.park.run(follower, source, parked.stream, JSON.stringify({ ...parked, version }));
      }
    });
  }

  async drop(follower: string): Promise<void> {
    await this.#file.write(() => this.#sql.drop.map((statement) => statement.run(follower)));
  }

  listen(listener: () => void): () => void {
    return this.#file.listen(listener);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
