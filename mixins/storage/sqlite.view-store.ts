import type { SQLInputValue, StatementSync } from "node:sqlite";
import type { SqliteFile } from "./sqlite.file.ts";
import { type Move, SqliteLinks } from "./sqlite.links.ts";
import { SqliteRollup } from "./sqlite.rollup.ts";
import type { Held, Range, Total, ViewChange, ViewQuery, ViewRow, ViewSpec, ViewStore } from "./view-store.ts";

/**
 * A view's documents in tables of the room's file, a set of tables per generation: the documents with a column for each
 * value that lists filter by, and the links of each of `many`. A document's row number is its place, so that the indexes
 * hold small numbers and new documents stand at the end. A removed document leaves its version, so that an older event
 * that comes late does not bring it back.
 */
export class SqliteViewStore<D extends object> implements ViewStore<D> {
  readonly generation: number;
  readonly #file: SqliteFile;
  readonly #spec: ViewSpec<D>;
  readonly #table: string;
  readonly #columns: [name: string, of: (document: D) => string][];
  readonly #links: SqliteLinks<D>[];
  readonly #rollup?: SqliteRollup<D>;
  /** Statements by what they say: one for each set of filters, and for each set of columns that change together. */
  readonly #statements = new Map<string, StatementSync>();
  readonly #sql;

  constructor(file: SqliteFile, spec: ViewSpec<D>, generation: number) {
    this.generation = generation;
    this.#file = file;
    this.#spec = spec;
    this.#table = `view_${spec.name}_${generation}`;
    this.#columns = Object.entries(spec.columns);
    const { db } = file;
    const table = this.#table;
    file.define(`
      CREATE TABLE IF NOT EXISTS ${table} (
        place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, body TEXT, ${this.#columns.map(([name]) => `c_${name} TEXT`).join(", ")}
      ) STRICT;
      ${[[], ...(spec.indexes ?? [])].map((names) => this.#index(names)).join(";\n")}`);
    this.#sql = {
      get: db.prepare(`SELECT place, version, body FROM ${table} WHERE id = ?`),
      add: db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?${", ?".repeat(this.#columns.length)})`),
      last: db.prepare(`SELECT max(place) AS place FROM ${table}`),
      dump: db.prepare(`SELECT id, place, version, body${this.#columns.map(([name]) => `, c_${name}`).join("")} FROM ${table} ORDER BY id`),
    };
    this.#links = Object.entries(spec.many ?? {}).map(([name, of]) => new SqliteLinks(file, `${table}_${name}`, name, of));
    if (spec.rollup) this.#rollup = new SqliteRollup(file, spec, table, this.#links.find(({ name }) => name === spec.rollup!.by)!);
  }

  load(ids: readonly string[]): Map<string, Held<D>> {
    const found = new Map<string, Held<D>>();
    for (const id of ids) {
      const row = this.#sql.get.get(id);
      if (!row) continue;
      const document = row.body === null ? undefined : JSON.parse(row.body as string);
      found.set(id, { version: row.version as number, document, place: row.place as number });
    }
    return found;
  }

  last(): number {
    return (this.#sql.last.get()!.place as number | null) ?? 0;
  }

  put(changes: readonly ViewChange<D>[]): void {
    const order = this.#spec.columns[this.#spec.order]!;
    const moves: Move<D>[] = [];
    for (const { id, version, document, before, place, added } of changes) {
      const body = document ? JSON.stringify(document) : null;
      if (added) this.#sql.add.run(place, id, version, body, ...this.#columns.map(([, of]) => (document ? of(document) : null)));
      else this.#update(place, version, body, document, before);
      moves.push({ place, before, orderBefore: before ? order(before) : "", document, order: document ? order(document) : "" });
    }
    for (const links of this.#links) links.store(moves);
    this.#rollup?.touch(moves);
  }

  find(query: ViewQuery): ViewRow<D>[] {
    const { where, from, to, descending, after, limit } = query;
    const values: SQLInputValue[] = [];
    const bind = (value: string | number) => `?${values.push(value)}`;
    const wanted = Object.entries(where).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const linksOf = (name: string) => this.#links.find((links) => links.name === name);
    const lead = wanted.map(([name]) => linksOf(name)).find((links) => links); // the first leads; a second one is looked up
    const order = lead ? "l.ord" : `d.c_${this.#spec.order}`;
    const place = lead ? "l.place" : "d.place";
    const conditions = wanted.map(([name, value]) => {
      const links = linksOf(name);
      if (!links) return `d.c_${name} = ${bind(value)}`;
      const number = links.numberOf(bind(value));
      if (links === lead) return `l.value = ${number}`;
      return `EXISTS (SELECT 1 FROM ${links.table} WHERE value = ${number} AND ord = d.c_${this.#spec.order} AND place = d.place)`;
    });
    conditions.push("d.body IS NOT NULL");
    if (from !== undefined) conditions.push(`${order} >= ${bind(from)}`);
    if (to !== undefined) conditions.push(`${order} <= ${bind(to)}`);
    if (after) conditions.push(`(${order}, ${place}) ${descending ? "<" : ">"} (${bind(after[0])}, ${bind(after[1])})`);
    const direction = descending ? "DESC" : "ASC";
    const statement = this.#statement(`
      SELECT d.place, d.body, d.c_${this.#spec.order} AS ord
      FROM ${lead ? `${lead.table} l CROSS JOIN ${this.#table} d ON d.place = l.place` : `${this.#table} d`}
      WHERE ${conditions.join(" AND ")} ORDER BY ${order} ${direction}, ${place} ${direction} LIMIT ${bind(limit)}`);
    return statement
      .all(...values)
      .map((row) => ({ place: row.place as number, order: row.ord as string, document: JSON.parse(row.body as string) }));
  }

  dirty(limit: number): string[] {
    return this.#rollup?.dirty(limit) ?? [];
  }

  async recompute(bucket: string): Promise<void> {
    await this.#rollup?.recompute(bucket);
  }

  totals(dimension: string, range: Range): Total[] {
    return this.#rollup?.totals(dimension, range) ?? [];
  }

  *dump(): Iterable<string> {
    for (const row of this.#sql.dump.iterate()) yield JSON.stringify(Object.values(row));
    for (const links of this.#links) yield* links.dump(this.#table);
    yield* this.#rollup?.dump() ?? [];
  }

  #index(names: readonly string[]): string {
    const columns = [...names, this.#spec.order].map((name) => `c_${name}`);
    return `CREATE INDEX IF NOT EXISTS ${this.#table}_by_${columns.join("_")} ON ${this.#table} (${columns.join(", ")})`;
  }

  /** Sets only the columns that change: the indexes of the others are left alone. */
  #update(place: number, version: number, body: string | null, document: D | undefined, before: D | undefined) {
    const values: SQLInputValue[] = [version, body];
    let set = "version = ?, body = ?";
    for (const [name, of] of this.#columns) {
      const value = document ? of(document) : null;
      if (value === (before ? of(before) : null)) continue;
      set += `, c_${name} = ?`;
      values.push(value);
    }
    this.#statement(`UPDATE ${this.#table} SET ${set} WHERE place = ?`).run(...values, place);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#file.db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
