import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Unavailable } from "../core/errors.ts";
import { config } from "../runtime/config.ts";
import type { KeyRow, KeyStore, Rewrapping } from "./key-store.ts";

const PATIENCE = 5_000;

/**
 * Keys in `DATA_DIR/keys/vault.db`, beside the master key and out of reach of backups. What is replaced is overwritten, and the log emptied
 * behind it: once a key is destroyed no page of the file or its log has it.
 */
export class SqliteKeyStore implements KeyStore {
  readonly #db: DatabaseSync;

  constructor(dir: string = config.dataDir) {
    const folder = join(dir, "keys");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, "vault.db");
    closeSync(openSync(path, "a", 0o600));
    this.#db = new DatabaseSync(path, { timeout: PATIENCE });
    this.#db.exec(`
      PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
      CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, room TEXT NOT NULL, by TEXT NOT NULL, wrapped TEXT NOT NULL, at INTEGER NOT NULL, destroyed INTEGER
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS keys_by ON keys (by) WHERE destroyed IS NULL;
      CREATE INDEX IF NOT EXISTS keys_destroyed ON keys (destroyed) WHERE destroyed IS NOT NULL`);
  }

  async add(rows: readonly KeyRow[]): Promise<void> {
    this.#write(
      "INSERT INTO keys (id, kind, room, by, wrapped, at, destroyed) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      rows,
      (row) => [...[row.id, row.kind, row.room, row.by, row.wrapped, row.at], row.destroyed ?? null],
    );
  }

  async find(ids: readonly string[]): Promise<KeyRow[]> {
    return this.#read("id IN (SELECT value FROM json_each(?))", JSON.stringify(ids));
  }

  async ofKind(kind: "kek" | "index"): Promise<KeyRow[]> {
    return this.#read("id > ? AND id < ? ORDER BY id", `${kind}~`, `${kind}~~`);
  }

  async under(kek: string, limit: number): Promise<KeyRow[]> {
    return this.#read("by = ? AND destroyed IS NULL LIMIT ?", kek, limit);
  }

  async rewrap(changes: readonly Rewrapping[]): Promise<void> {
    this.#write("UPDATE keys SET wrapped = ?, by = ? WHERE id = ? AND wrapped = ?", changes, ({ wrapped, by, id, from }) => [
      wrapped,
      by,
      id,
      from,
    ]);
    this.#emptyLog();
  }

  async destroyedSince(at: number, limit: number): Promise<KeyRow[]> {
    return this.#read("destroyed >= ? ORDER BY destroyed LIMIT ?", at, limit);
  }

  async remove(kek: string): Promise<void> {
    this.#write("DELETE FROM keys WHERE id = ? AND kind = 'kek'", [kek], (id) => [id]);
  }

  async count(kek: string): Promise<number> {
    return this.#db.prepare("SELECT count(*) AS n FROM keys WHERE by = ? AND destroyed IS NULL").get(kek)!.n as number;
  }

  async all(after: string, limit: number): Promise<KeyRow[]> {
    return this.#read("id > ? ORDER BY id LIMIT ?", after, limit);
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #read(where: string, ...values: SQLInputValue[]): KeyRow[] {
    const rows = this.#db.prepare(`SELECT id, kind, room, by, wrapped, at, destroyed FROM keys WHERE ${where}`).all(...values);
    return rows.map(({ destroyed, ...row }) => ({ ...row, ...(destroyed !== null && { destroyed }) }) as unknown as KeyRow);
  }

  #emptyLog(): void {
    const { busy } = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
    if (busy) throw new Unavailable("STORE_UNAVAILABLE", "What was stored before could not be wiped from the log: repeat it");
  }

  #write<T>(sql: string, items: readonly T[], values: (item: T) => SQLInputValue[]): void {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const statement = this.#db.prepare(sql);
      for (const item of items) statement.run(...values(item));
      this.#db.exec("COMMIT");
    } catch (error) {
      const unavailable = new Unavailable("STORE_UNAVAILABLE", "The store could not say that it has the keys");
      unavailable.cause = error;
      throw unavailable;
    } finally {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    }
  }
}
