import { LRUCache } from "lru-cache";
import type { SqliteFile } from "./sqlite.file.ts";

/** How one document changed: its place, and under which order it stood and stands. */
export interface Move<D> {
  readonly place: number;
  readonly before: D | undefined;
  readonly orderBefore: string;
  readonly document: D | undefined;
  readonly order: string;
}

interface Link {
  readonly value: number;
  readonly order: string;
  readonly place: number;
}

const VALUES = 20_000; // whose numbers are known without asking
const ROWS = 64; // that one statement takes
const NOTHING: readonly string[] = [];

/**
 * By which values a view's documents are found where each has several: a table of (value, order, place). It is written
 * all over, so its rows are small (a value has a number), and what comes together is stored in the table's own order,
 * page by page: a quarter of the time that rows of text take as they come.
 */
export class SqliteLinks<D> {
  readonly name: string;
  readonly table: string;
  readonly valuesOf: (document: D) => readonly string[];
  readonly #numbers = new LRUCache<string, number>({ max: VALUES });
  readonly #file: SqliteFile;
  /** What `outside` said when `#numbers` were last known to be right: another process may have made the tables anew. */
  #outside = -1;
  readonly #sql;

  constructor(file: SqliteFile, table: string, name: string, valuesOf: (document: D) => readonly string[]) {
    this.name = name;
    this.table = table;
    this.valuesOf = valuesOf;
    this.#file = file;
    file.define(`
      CREATE TABLE IF NOT EXISTS ${table} (
        value INTEGER NOT NULL, ord TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (value, ord, place)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS ${table}_values (number INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT`);
    const { db } = file;
    this.#sql = {
      number: db.prepare(`SELECT number FROM ${table}_values WHERE value = ?`),
      newNumber: db.prepare(`INSERT INTO ${table}_values (value) VALUES (?)`),
      add: db.prepare(`INSERT OR IGNORE INTO ${table} VALUES (?, ?, ?)`),
      addMany: db.prepare(`INSERT OR IGNORE INTO ${table} VALUES (?, ?, ?)${", (?, ?, ?)".repeat(ROWS - 1)}`),
      remove: db.prepare(`DELETE FROM ${table} WHERE value = ? AND ord = ? AND place = ?`),
    };
  }

  /** SQL for the number of the value that `bound` stands for; null where no document ever had it. */
  numberOf(bound: string): string {
    return `(SELECT number FROM ${this.table}_values WHERE value = ${bound})`;
  }

  /** Inside a write: links the documents to the values that they have now. */
  store(moves: readonly Move<D>[]): void {
    const outside = this.#file.outside(true);
    if (outside !== this.#outside) this.#numbers.clear();
    this.#outside = outside;
    const fresh = new Map<string, number>(); // not kept: this transaction may yet come to nothing
    const added: Link[] = [];
    for (const { place, before, orderBefore, document, order } of moves) {
      const old = before ? this.valuesOf(before) : NOTHING;
      const now = document ? this.valuesOf(document) : NOTHING;
      const moved = orderBefore !== order;
      if (!moved && old === now) continue;
      const [had, has] = [new Set(moved ? NOTHING : old), new Set(moved ? NOTHING : now)];
      for (const value of old) if (!has.has(value)) this.#sql.remove.run(this.#number(value, fresh), orderBefore, place);
      for (const value of now) if (!had.has(value)) added.push({ value: this.#number(value, fresh), order, place });
    }
    this.#addAll(added.sort((a, b) => a.value - b.value || (a.order < b.order ? -1 : a.order > b.order ? 1 : a.place - b.place)));
  }

  /** By value and document, as text in a fixed order: numbers may differ between two views that are equal. */
  *dump(documents: string): Iterable<string> {
    const rows = this.#file.db.prepare(`
      SELECT v.value, l.ord, d.id FROM ${this.table} l JOIN ${this.table}_values v ON v.number = l.value JOIN ${documents} d USING (place)
      ORDER BY 1, 2, 3`);
    for (const row of rows.iterate()) yield JSON.stringify(Object.values(row));
  }

  #addAll(links: readonly Link[]) {
    const whole = links.length - (links.length % ROWS);
    for (let from = 0; from < whole; from += ROWS) {
      const values: (number | string)[] = [];
      for (let i = from; i < from + ROWS; i++) values.push(links[i]!.value, links[i]!.order, links[i]!.place);
      this.#sql.addMany.run(...values);
    }
    for (const { value, order, place } of links.slice(whole)) this.#sql.add.run(value, order, place);
  }

  #number(value: string, fresh: Map<string, number>): number {
    const known = this.#numbers.get(value) ?? fresh.get(value);
    if (known !== undefined) return known;
    const stored = this.#sql.number.get(value)?.number as number | undefined;
    if (stored === undefined) fresh.set(value, Number(this.#sql.newNumber.run(value).lastInsertRowid));
    else this.#numbers.set(value, stored); // was there before this transaction began
    return stored ?? fresh.get(value)!;
  }
}
