import type { AnyBulkWriteOperation, Collection, Db, Filter, Sort } from "mongodb";
import { type MongoHost, type Row, refusedOf, rows } from "./mongo.host.ts";
import { MongoRollup } from "./mongo.rollup.ts";
import type { Held, Range, Total, ViewChange, ViewQuery, ViewRow, ViewSpec, ViewStore } from "./view-store.ts";

/** A view's document of one stream. What was removed leaves its version, so that an older event that comes late does not bring it back. */
export interface ViewDocument<D> extends Row {
  version: number;
  document: D | null;
  /** Absent once it was removed. */
  live?: 1;
  columns?: Record<string, string>;
  many?: Record<string, readonly string[]>;
  /** Buckets of the rollup that are to be recomputed since this has changed. */
  dirty?: string[];
}

/** Documents are stored unless there is a later one, so that two processes that fill a view at once do no harm. */
export class MongoViewStore<D extends object> implements ViewStore<D> {
  readonly generation: number;
  readonly #host: MongoHost;
  readonly #spec: ViewSpec<D>;
  readonly #documents: Collection<ViewDocument<D>>;
  readonly #rollup?: MongoRollup<D>;

  constructor(host: MongoHost, db: Db, spec: ViewSpec<D>, generation: number) {
    this.generation = generation;
    this.#host = host;
    this.#spec = spec;
    const name = viewName(spec.name, generation);
    this.#documents = rows<ViewDocument<D>>(db, name);
    if (spec.rollup) this.#rollup = new MongoRollup(host, this.#documents, rows(db, `${name}_figures`), spec);
    const order = `columns.${spec.order}`;
    const fields = [
      [],
      ...(spec.indexes ?? []).map((names) => names.map((column) => `columns.${column}`)),
      ...Object.keys(spec.many ?? {}).map((column) => [`many.${column}`]),
    ];
    // they make a search quicker, and carry nothing
    for (const path of fields) this.#hint(Object.fromEntries([...path, order, "_id"].map((field) => [field, 1])));
    if (spec.rollup) this.#hint({ dirty: 1 });
  }

  async load(ids: readonly string[]): Promise<Map<string, Held<D>>> {
    const found = await this.#host.ask(() => this.#documents.find({ _id: { $in: ids } } as Filter<ViewDocument<D>>).toArray());
    return new Map(
      found.map(({ _id, version, document }) => [_id, { version, document: (document ?? undefined) as D | undefined, place: 0 }]),
    );
  }

  last(): number {
    return Number.POSITIVE_INFINITY;
  }

  async put(changes: readonly ViewChange<D>[]): Promise<void> {
    if (changes.length === 0) return;
    const writes = changes.map((change) => this.#write(change)) as AnyBulkWriteOperation<ViewDocument<D>>[];
    await this.#host.ask(async () => {
      try {
        await this.#documents.bulkWrite(writes, { ordered: false });
      } catch (error) {
        refusedOf(error); // those that there is a later one of
      }
    });
  }

  async find({ where, from, to, descending, after, limit }: ViewQuery): Promise<ViewRow<D>[]> {
    const order = `columns.${this.#spec.order}`;
    const conditions: object[] = [{ live: 1 }];
    for (const [name, value] of Object.entries(where)) {
      if (value !== undefined) conditions.push({ [`${this.#spec.many?.[name] ? "many" : "columns"}.${name}`]: value });
    }
    if (from !== undefined) conditions.push({ [order]: { $gte: from } });
    if (to !== undefined) conditions.push({ [order]: { $lte: to } });
    if (after) {
      const [beyond, [last, id]] = [descending ? "$lt" : "$gt", after];
      conditions.push({ $or: [{ [order]: { [beyond]: last } }, { [order]: last, _id: { [beyond]: String(id) } }] });
    }
    const direction = descending ? -1 : 1;
    const sort = { [order]: direction, _id: direction } as Sort;
    const found = await this.#host.ask(() =>
      this.#documents
        .find({ $and: conditions } as Filter<ViewDocument<D>>)
        .sort(sort)
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id, columns, document }) => ({ place: _id, order: columns![this.#spec.order]!, document: document as D }));
  }

  dirty(limit: number): Promise<string[]> {
    return this.#rollup?.dirty(limit) ?? Promise.resolve([]);
  }

  async recompute(bucket: string): Promise<void> {
    await this.#rollup?.recompute(bucket);
  }

  totals(dimension: string, range: Range): Promise<Total[]> {
    return this.#rollup?.totals(dimension, range) ?? Promise.resolve([]);
  }

  async *dump(): AsyncIterable<string> {
    const all = this.#documents.find().sort({ _id: 1 });
    for await (const { _id, version, document, columns, many } of all) yield JSON.stringify([_id, version, document, columns, many]);
    yield* this.#rollup?.dump() ?? [];
  }

  #write({ id, version, document, before }: ViewChange<D>) {
    const { columns, many = {} } = this.#spec;
    const of = <T>(fields: Readonly<Record<string, (document: D) => T>>) =>
      Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value(document!)]));
    const buckets = this.#rollup?.bucketsOf(before, document) ?? [];
    const marks = buckets.length > 0 && { $addToSet: { dirty: { $each: buckets } } };
    const update = document
      ? { $set: { version, document, live: 1, columns: of(columns), many: of(many) }, ...marks }
      : { $set: { version, document: null }, $unset: { live: "", columns: "", many: "" }, ...marks };
    return { updateOne: { filter: { _id: id, version: { $lt: version } }, update, upsert: true } };
  }

  #hint(fields: Record<string, 1>) {
    void this.#documents.createIndex(fields as Record<string, 1>).catch(() => {});
  }
}

export const viewName = (view: string, generation: number): string => `view_${view}_${generation}`;
