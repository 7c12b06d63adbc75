import { SqliteFile } from "./sqlite.file.ts";
import { SqliteViewStore } from "./sqlite.view-store.ts";
import type { ViewFile, ViewSpec, ViewStore } from "./view-store.ts";

/** The views of one room in its SQLite file: which generation of each serves, and their tables. */
export class SqliteViewFile implements ViewFile {
  readonly #file: SqliteFile;
  readonly #sql;

  constructor(room: string) {
    const file = SqliteFile.open(room);
    this.#file = file;
    file.define(
      "CREATE TABLE IF NOT EXISTS views (name TEXT PRIMARY KEY, generation INTEGER NOT NULL, number INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    );
    this.#sql = {
      get: file.db.prepare("SELECT generation, number FROM views WHERE name = ?"),
      set: file.db.prepare("INSERT INTO views VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET generation = ?2, number = ?3"),
      tables: file.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND (name = ?1 OR name GLOB ?1 || '_*')"),
    };
  }

  serving(name: string): { generation: number; number: number } | undefined {
    return this.#sql.get.get(name) as { generation: number; number: number } | undefined;
  }

  async serve(name: string, generation: number, number: number): Promise<void> {
    await this.#file.write(() => this.#sql.set.run(name, generation, number));
  }

  async drop(name: string, generation: number): Promise<void> {
    await this.#file.write(() => {
      for (const { name: table } of this.#sql.tables.all(`view_${name}_${generation}`)) this.#file.db.exec(`DROP TABLE "${table}"`);
    });
  }

  retire(name: string, generation: number): Promise<void> {
    return this.drop(name, generation); // reads do not await: nobody is in the middle of one
  }

  open<D extends object>(spec: ViewSpec<D>, generation: number): ViewStore<D> {
    return new SqliteViewStore(this.#file, spec, generation);
  }

  outside(): number {
    return this.#file.outside();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
