import type { SQLInputValue, StatementSync } from "node:sqlite";
import type { SqliteFile } from "./sqlite.file.ts";
import { SqliteRollup } from "./sqlite.rollup.ts";
import type { Total, ViewChange, ViewQuery, ViewRow, ViewSpec, ViewStore } from "./view-store.ts";

/**
 * A view's documents in tables of the room's file, a set of tables per generation: the documents with a column for each
 * value that lists filter by, and one table for each of `many`. A removed document leaves its version, so that an older
 * event that comes late does not bring it back.
 */
export class SqliteViewStore<D extends object> implements ViewStore<D> {
  readonly generation: number;
  readonly #file: SqliteFile;
  readonly #spec: ViewSpec<D>;
  readonly #table: string;
  readonly #columns: string[];
  readonly #many: [string, (document: D) => readonly string[]][];
  readonly #rollup?: SqliteRollup<D>;
  readonly #finds = new Map<string, StatementSync>();
  readonly #sql;

  constructor(file: SqliteFile, spec: ViewSpec<D>, generation: number) {
    this.generation = generation;
    this.#file = file;
    this.#spec = spec;
    this.#table = `view_${spec.name}_${generation}`;
    this.#columns = Object.keys(spec.columns);
    this.#many = Object.entries(spec.many ?? {});
    const { db } = file;
    const table = this.#table;
    file.define(`
      CREATE TABLE IF NOT EXISTS ${table} (
        id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT, ${this.#columns.map((column) => `c_${column} TEXT`).join(", ")}
      ) STRICT, WITHOUT ROWID;
      ${[[], ...(spec.indexes ?? [])].map((names) => this.#index(names)).join(";\n")};
      ${this.#many.map(([name]) => `CREATE TABLE IF NOT EXISTS ${table}_${name} (value TEXT NOT NULL, ord TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (value, ord, id)) STRICT, WITHOUT ROWID`).join(";\n")}`);
    this.#sql = {
      get: db.prepare(`SELECT version, body FROM ${table} WHERE id = ?`),
      put: db.prepare(
        `INSERT OR REPLACE INTO ${table} VALUES (${Array(3 + this.#columns.length)
          .fill("?")
          .join(", ")})`,
      ),
      dump: db.prepare(`SELECT * FROM ${table} ORDER BY id`),
      link: this.#many.map(([name]) => db.prepare(`INSERT OR IGNORE INTO ${table}_${name} VALUES (?, ?, ?)`)),
      unlink: this.#many.map(([name]) => db.prepare(`DELETE FROM ${table}_${name} WHERE value = ? AND ord = ? AND id = ?`)),
    };
    if (spec.rollup) this.#rollup = new SqliteRollup(file, spec, table);
  }

  get(id: string): { version: number; document: D | undefined } | undefined {
    const row = this.#sql.get.get(id);
    return row && { version: row.version as number, document: row.body === null ? undefined : JSON.parse(row.body as string) };
  }

  put(changes: Iterable<ViewChange<D>>): void {
    for (const { id, version, document, before } of changes) {
      const values = this.#columns.map((column) => (document ? this.#spec.columns[column]!(document) : null));
      this.#sql.put.run(id, version, document ? JSON.stringify(document) : null, ...values);
      for (const [i, [name, valuesOf]] of this.#many.entries()) this.#relink(i, name, id, before, document, valuesOf);
    }
  }

  find(query: ViewQuery): ViewRow<D>[] {
    const { where, from, to, descending, after, limit } = query;
    const values: SQLInputValue[] = [];
    const bind = (value: string) => `?${values.push(value)}`;
    const wanted = Object.entries(where).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const link = wanted.find(([name]) => this.#spec.many?.[name]); // the first leads; a second one is looked up
    const order = link ? "l.ord" : `d.c_${this.#spec.order}`;
    const id = link ? "l.id" : "d.id";
    const conditions = wanted.map(([name, value]) => {
      if (link?.[0] === name) return `l.value = ${bind(value)}`;
      if (this.#spec.many?.[name])
        return `EXISTS (SELECT 1 FROM ${this.#table}_${name} WHERE value = ${bind(value)} AND ord = d.c_${this.#spec.order} AND id = d.id)`;
      return `d.c_${name} = ${bind(value)}`;
    });
    conditions.push("d.body IS NOT NULL");
    if (from !== undefined) conditions.push(`${order} >= ${bind(from)}`);
    if (to !== undefined) conditions.push(`${order} <= ${bind(to)}`);
    if (after) conditions.push(`(${order}, ${id}) ${descending ? "<" : ">"} (${bind(after[0])}, ${bind(after[1])})`);
    const direction = descending ? "DESC" : "ASC";
    const sql = `
      SELECT d.id, d.body, d.c_${this.#spec.order} AS ord
      FROM ${link ? `${this.#table}_${link[0]} l CROSS JOIN ${this.#table} d ON d.id = l.id` : `${this.#table} d`}
      WHERE ${conditions.join(" AND ")} ORDER BY ${order} ${direction}, ${id} ${direction} LIMIT ${bind(String(limit))}`;
    const statement = this.#finds.get(sql) ?? this.#file.db.prepare(sql);
    this.#finds.set(sql, statement); // bounded: a statement for each set of filters
    return statement
      .all(...values)
      .map((row) => ({ id: row.id as string, order: row.ord as string, document: JSON.parse(row.body as string) }));
  }

  dirty(limit: number): string[] {
    return this.#rollup?.dirty(limit) ?? [];
  }

  async recompute(bucket: string): Promise<void> {
    await this.#rollup?.recompute(bucket);
  }

  totals(dimension: string, range: { from?: string; to?: string; currency?: string; prefix?: number }): Total[] {
    return this.#rollup?.totals(dimension, range) ?? [];
  }

  *dump(): Iterable<string> {
    for (const row of this.#sql.dump.iterate()) yield JSON.stringify(Object.values(row));
    yield* this.#rollup?.dump() ?? [];
  }

  #index(names: readonly string[]): string {
    const columns = [...names, this.#spec.order].map((name) => `c_${name}`);
    return `CREATE INDEX IF NOT EXISTS ${this.#table}_by_${columns.join("_")} ON ${this.#table} (${columns.join(", ")}, id)`;
  }

  #relink(
    i: number,
    name: string,
    id: string,
    before: D | undefined,
    document: D | undefined,
    valuesOf: (document: D) => readonly string[],
  ) {
    const links = (d: D | undefined) => new Set(d ? valuesOf(d) : []);
    const order = (d: D | undefined) => (d ? this.#spec.columns[this.#spec.order]!(d) : "");
    const [old, now] = [links(before), links(document)];
    const moved = order(before) !== order(document);
    for (const value of old) if (moved || !now.has(value)) this.#sql.unlink[i]!.run(value, order(before), id);
    for (const value of now) if (moved || !old.has(value)) this.#sql.link[i]!.run(value, order(document), id);
    if (name === this.#spec.rollup?.by) this.#rollup?.touch(new Set([...old, ...now]));
  }
}
