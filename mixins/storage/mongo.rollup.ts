import type { Collection, Filter } from "mongodb";
import { isDuplicate, type MongoHost, type Row } from "./mongo.host.ts";
import type { ViewDocument } from "./mongo.view-store.ts";
import { compareText } from "./query.values.ts";
import type { Range, Total, ViewSpec } from "./view-store.ts";

type Line = [key: string, currency: string, ...units: string[]];

/** What a bucket adds up to, by dimension; `revision` grows whenever it is recomputed. */
export interface FigureRow extends Row {
  revision: number;
  figures: Record<string, Line[]>;
}

/**
 * Totals by bucket, each in one document. Nothing is added up as it comes: a document that has changed names the buckets that
 * it made wrong, and whoever recomputes one takes the names away of those documents that have not changed since he read them.
 */
export class MongoRollup<D extends object> {
  readonly #host: MongoHost;
  readonly #documents: Collection<ViewDocument<D>>;
  readonly #rows: Collection<FigureRow>;
  readonly #spec: NonNullable<ViewSpec<D>["rollup"]>;
  readonly #order: string;
  readonly #valuesOf: (document: D) => readonly string[];

  constructor(host: MongoHost, documents: Collection<ViewDocument<D>>, figures: Collection<FigureRow>, spec: ViewSpec<D>) {
    this.#host = host;
    this.#documents = documents;
    this.#rows = figures;
    this.#spec = spec.rollup!;
    this.#order = `columns.${spec.order}`;
    this.#valuesOf = spec.many![spec.rollup!.by]!;
  }

  /** Those that a change makes wrong. */
  bucketsOf(before: D | undefined, document: D | undefined): string[] {
    return [...new Set([before, document].flatMap((d) => (d ? this.#valuesOf(d) : [])))];
  }

  async dirty(limit: number): Promise<string[]> {
    const marked = { dirty: { $gt: "" } } as Filter<ViewDocument<D>>;
    const found = this.#documents.find(marked).project<{ dirty: string[] }>({ dirty: 1 });
    const buckets = new Set<string>();
    await this.#host.ask(async () => {
      for await (const { dirty } of found) {
        for (const bucket of dirty) buckets.add(bucket);
        if (buckets.size >= limit) break;
      }
    });
    return [...buckets].sort().slice(0, limit);
  }

  async recompute(bucket: string): Promise<void> {
    await this.#host.ask(async () => {
      const row = await this.#rows.findOne({ _id: bucket });
      const marks = await this.#documents
        .find({ dirty: bucket } as Filter<ViewDocument<D>>)
        .project<{ _id: string; version: number }>({ version: 1 })
        .toArray(); // before the documents: what changes after this stays marked
      if (!(await this.#replace(bucket, row?.revision ?? 0, await this.#figures(bucket)))) return; // somebody recomputes it, too
      if (marks.length === 0) return;
      const clear = marks.map(({ _id, version }) => ({ updateOne: { filter: { _id, version }, update: { $pull: { dirty: bucket } } } }));
      await this.#documents.bulkWrite(clear as never, { ordered: false });
    });
  }

  async totals(dimension: string, { from = "", to = "\uffff", currency, prefix }: Range): Promise<Total[]> {
    const range = { _id: { $gte: from, $lte: to } } as Filter<FigureRow>;
    const sums = new Map<string, Total>();
    await this.#host.ask(async () => {
      const found = this.#rows.find(range).project<FigureRow>({ [`figures.${dimension}`]: 1 });
      for await (const { _id, figures } of found) {
        for (const [name, of, ...units] of figures[dimension] ?? []) {
          if (currency !== undefined && of !== currency) continue;
          const key = prefix ? _id.slice(0, prefix) : name;
          const sum = sums.get(`${key}\n${of}`) ?? { key, currency: of, measures: this.#spec.measures.map(() => 0n) };
          for (const [i, value] of units.entries()) sum.measures[i]! += BigInt(value);
          sums.set(`${key}\n${of}`, sum);
        }
      }
    });
    return [...sums.values()].sort((a, b) => compareText(a.key, b.key) || compareText(a.currency, b.currency));
  }

  async *dump(): AsyncIterable<string> {
    for await (const { _id, figures } of this.#rows.find().sort({ _id: 1 })) yield JSON.stringify([_id, figures]);
  }

  async #figures(bucket: string): Promise<FigureRow["figures"]> {
    const within = { [`many.${this.#spec.by}`]: bucket, live: 1 } as Filter<ViewDocument<D>>;
    const found = await this.#documents
      .find(within)
      .sort({ [this.#order]: 1, _id: 1 })
      .toArray();
    const documents = found.map(({ document }) => document as D);
    const figures: FigureRow["figures"] = Object.fromEntries(this.#spec.dimensions.map((dimension) => [dimension, []]));
    for (const { dimension, key, currency, measures } of this.#spec.figures(documents, bucket)) {
      figures[dimension]!.push([key, currency, ...measures.map(String)]);
    }
    for (const lines of Object.values(figures)) lines.sort((a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]));
    return figures;
  }

  async #replace(_id: string, revision: number, figures: FigureRow["figures"]): Promise<boolean> {
    const next = { revision: revision + 1, figures };
    try {
      const { matchedCount, upsertedCount } = await this.#rows.replaceOne({ _id, revision } as Filter<FigureRow>, next, {
        upsert: revision === 0,
      });
      return matchedCount + upsertedCount > 0;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }
}
