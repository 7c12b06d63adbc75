import type { SagaEvent } from "../core/saga.ts";
import { type Commit, readWhole } from "./event-store.ts";
import type { SagaRow, SagaStore } from "./saga-store.ts";
import { SqliteEventStore } from "./sqlite.event-store.ts";

/** Sagas in the room's SQLite file: a record of their own beside that of its actors. */
export class SqliteSagaStore implements SagaStore {
  readonly #store: SqliteEventStore;
  readonly #sql;

  constructor(room: string, dir?: string) {
    this.#store = SqliteEventStore.open(room, "saga_commits", dir);
    const { db } = this.#store.file;
    this.#store.file.define(`
      CREATE TABLE IF NOT EXISTS sagas (
        id TEXT PRIMARY KEY, saga TEXT NOT NULL, status TEXT NOT NULL, owner TEXT NOT NULL, at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS sagas_by_status ON sagas (status, id)`);
    this.#sql = {
      put: db.prepare("INSERT OR REPLACE INTO sagas VALUES (?, ?, ?, ?, ?)"),
      list: db.prepare("SELECT * FROM sagas WHERE status = ? AND id > ? ORDER BY id LIMIT ?"),
    };
  }

  append(commit: Commit<SagaEvent>, row?: SagaRow): Promise<void> {
    return this.#store.append(commit, row && (() => void this.#sql.put.run(row.id, row.saga, row.status, row.owner, row.at)));
  }

  read(id: string): Promise<Commit<SagaEvent>[]> {
    return readWhole<SagaEvent>(this.#store, id);
  }

  async list(status: string, after: string, limit: number): Promise<SagaRow[]> {
    return this.#sql.list.all(status, after, limit) as unknown as SagaRow[];
  }

  listen(listener: () => void): () => void {
    return this.#store.listen(listener);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
