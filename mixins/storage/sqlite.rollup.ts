import type { SqliteFile } from "./sqlite.file.ts";
import type { Move, SqliteLinks } from "./sqlite.links.ts";
import type { Range, Total, ViewSpec } from "./view-store.ts";

const ONE = 100_000_000n;

/**
 * Totals by bucket. Nothing is added up as it comes: a bucket whose documents have changed is marked in the transaction
 * that changes them, and recomputed as a whole from its documents. Each measure stands in two columns, its whole part
 * and its 10⁻⁸ parts, so that SQLite's integers sum it exactly.
 */
export class SqliteRollup<D extends object> {
  readonly #file: SqliteFile;
  readonly #spec: NonNullable<ViewSpec<D>["rollup"]>;
  readonly #table: string;
  readonly #links: SqliteLinks<D>;
  readonly #sql;

  /** `links` lead from a bucket to its documents. */
  constructor(file: SqliteFile, { rollup }: ViewSpec<D>, table: string, links: SqliteLinks<D>) {
    this.#file = file;
    this.#links = links;
    this.#spec = rollup!;
    this.#table = `${table}_figures`;
    const { db } = file;
    const measures = this.#spec.measures.flatMap((_, i) => [`w${i}`, `f${i}`]);
    file.define(`
      CREATE TABLE IF NOT EXISTS ${this.#table} (
        dimension TEXT NOT NULL, bucket TEXT NOT NULL, key TEXT NOT NULL, currency TEXT NOT NULL, ${measures.map((m) => `${m} INTEGER NOT NULL`).join(", ")},
        PRIMARY KEY (dimension, bucket, key, currency)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS ${table}_dirty (bucket TEXT PRIMARY KEY) STRICT, WITHOUT ROWID`);
    this.#sql = {
      touch: db.prepare(`INSERT OR IGNORE INTO ${table}_dirty VALUES (?)`),
      dirty: db.prepare(`SELECT bucket FROM ${table}_dirty ORDER BY bucket LIMIT ?`),
      clean: db.prepare(`DELETE FROM ${table}_dirty WHERE bucket = ?`),
      documents: db.prepare(
        `SELECT d.body FROM ${links.table} l CROSS JOIN ${table} d ON d.place = l.place WHERE l.value = ${links.numberOf("?")} ORDER BY l.ord, l.place`,
      ),
      clear: db.prepare(`DELETE FROM ${this.#table} WHERE dimension = ? AND bucket = ?`),
      put: db.prepare(
        `INSERT INTO ${this.#table} VALUES (${Array(4 + measures.length)
          .fill("?")
          .join(", ")})`,
      ),
      dump: db.prepare(`SELECT * FROM ${this.#table} ORDER BY dimension, bucket, key, currency`),
    };
  }

  /** Inside a write: marks the buckets of documents that have changed. */
  touch(moves: readonly Move<D>[]): void {
    const { valuesOf } = this.#links;
    const buckets = new Set(moves.flatMap(({ before, document }) => [before, document].flatMap((d) => (d ? valuesOf(d) : []))));
    for (const bucket of buckets) this.#sql.touch.run(bucket);
  }

  dirty(limit: number): string[] {
    return this.#sql.dirty.all(limit).map(({ bucket }) => bucket as string);
  }

  async recompute(bucket: string): Promise<void> {
    await this.#file.write(() => {
      for (const dimension of this.#spec.dimensions) this.#sql.clear.run(dimension, bucket);
      for (const { dimension, key, currency, measures } of this.#spec.figures(this.#documents(bucket), bucket)) {
        this.#sql.put.run(dimension, bucket, key, currency, ...measures.flatMap((units) => [units / ONE, units % ONE]));
      }
      this.#sql.clean.run(bucket);
    });
  }

  totals(dimension: string, { from = "", to = "\uffff", currency, prefix }: Range): Total[] {
    const key = prefix ? `substr(bucket, 1, ${prefix})` : "key";
    const sums = this.#spec.measures.map((_, i) => `sum(w${i}) AS w${i}, sum(f${i}) AS f${i}`).join(", ");
    const statement = this.#file.db.prepare(`
      SELECT ${key} AS key, currency, ${sums} FROM ${this.#table}
      WHERE dimension = ?1 AND bucket >= ?2 AND bucket <= ?3 AND (?4 IS NULL OR currency = ?4) GROUP BY 1, 2 ORDER BY 1, 2`);
    statement.setReadBigInts(true);
    return statement.all(dimension, from, to, currency ?? null).map((row) => ({
      key: row.key as string,
      currency: row.currency as string,
      measures: this.#spec.measures.map((_, i) => (row[`w${i}`] as bigint) * ONE + (row[`f${i}`] as bigint)),
    }));
  }

  *dump(): Iterable<string> {
    for (const row of this.#sql.dump.iterate()) yield JSON.stringify(Object.values(row));
  }

  *#documents(bucket: string): Iterable<D> {
    for (const { body } of this.#sql.documents.iterate(bucket)) yield JSON.parse(body as string);
  }
}
