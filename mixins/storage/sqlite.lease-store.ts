import type { LeaseStore } from "./lease-store.ts";
import { SqliteFile } from "./sqlite.file.ts";

const FORGET = 600_000; // milliseconds after which nobody asks who held a name

/** Leases in the room's SQLite file, by this host's clock: all that share the file share it too. */
export class SqliteLeaseStore implements LeaseStore {
  readonly #file: SqliteFile;
  readonly #sql;

  constructor(room: string) {
    this.#file = SqliteFile.open(room);
    const { db } = this.#file;
    this.#file.define(
      "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    );
    this.#sql = {
      take: db.prepare(`
        INSERT INTO leases (name, owner, until) VALUES (?1, ?2, ?3)
        ON CONFLICT (name) DO UPDATE SET owner = ?2, until = ?3 WHERE owner = ?2 OR until < ?4`),
      sweep: db.prepare("DELETE FROM leases WHERE until < ?"),
      leave: db.prepare("DELETE FROM leases WHERE name = ? AND owner = ?"),
      alive: db.prepare("SELECT DISTINCT owner FROM leases WHERE until >= ? AND owner IN (SELECT value FROM json_each(?))"),
    };
  }

  take(name: string, owner: string, ttl: number): Promise<boolean> {
    return this.#file.write(() => {
      this.#sql.sweep.run(Date.now() - FORGET);
      return this.#sql.take.run(name, owner, Date.now() + ttl, Date.now()).changes === 1;
    });
  }

  async leave(name: string, owner: string): Promise<void> {
    await this.#file.write(() => this.#sql.leave.run(name, owner));
  }

  async alive(owners: string[]): Promise<Set<string>> {
    return new Set(this.#sql.alive.all(Date.now(), JSON.stringify(owners)).map(({ owner }) => owner as string));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
