import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { config } from "../runtime/config.ts";
import type { CollectionStore } from "./collection-store.ts";
import type { RanStep, SchemaStore } from "./schema-store.ts";
import { SqliteCursorStore } from "./sqlite.cursor-store.ts";
import { SqliteDocuments } from "./sqlite.documents.ts";
import { SqliteFile } from "./sqlite.file.ts";
import { SqliteViewFile } from "./sqlite.view-file.ts";

/** The steps of a room in its SQLite file. */
export class SqliteSchemaStore implements SchemaStore {
  readonly #room: string;
  readonly #file: SqliteFile;
  #documents?: SqliteDocuments;

  constructor(room: string) {
    this.#room = room;
    this.#file = SqliteFile.open(room);
    this.#file.define(`
      CREATE TABLE IF NOT EXISTS schema_steps (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, says TEXT NOT NULL, since INTEGER NOT NULL, at INTEGER NOT NULL
      ) STRICT`);
  }

  async ran(): Promise<RanStep[]> {
    return this.#file.db.prepare("SELECT * FROM schema_steps ORDER BY number").all() as unknown as RanStep[];
  }

  async note({ number, kind, says, since, at }: RanStep): Promise<void> {
    const put = this.#file.db.prepare("INSERT OR REPLACE INTO schema_steps VALUES (?, ?, ?, ?, ?)");
    await this.#file.write(() => put.run(number, kind, says, since, at));
  }

  async dropView(name: string, number: number): Promise<void> {
    const key = `${name}_${number}`;
    const [views, cursors] = [new SqliteViewFile(this.#room), new SqliteCursorStore(this.#room)];
    try {
      const { db } = this.#file;
      const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?").all(`view_${key}_[0-9]*`);
      const generations = new Set(tables.map((table) => Number.parseInt((table.name as string).slice(`view_${key}_`.length), 10)));
      for (const generation of generations) {
        await views.drop(key, generation);
        await cursors.drop(`view/${key}/${generation}`);
      }
      await this.#file.write(() => db.prepare("DELETE FROM views WHERE name = ?").run(key));
    } finally {
      await Promise.all([views.close(), cursors.close()]);
    }
  }

  documents(): CollectionStore {
    this.#documents ??= SqliteDocuments.open(this.#room);
    return this.#documents;
  }

  async close(): Promise<void> {
    await this.#documents?.close();
    await this.#file.close();
  }
}

/** Of a room whose file is there; it is only read. */
export const lookAtSteps = async (room: string): Promise<RanStep[]> => {
  const path = join(config.dataDir, `${room}.db`);
  if (!existsSync(path)) return [];
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const there = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_steps'").get();
    return there ? (db.prepare("SELECT * FROM schema_steps ORDER BY number").all() as unknown as RanStep[]) : [];
  } finally {
    db.close();
  }
};
