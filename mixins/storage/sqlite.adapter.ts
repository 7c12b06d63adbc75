import type { Service, ServiceBroker } from "moleculer";
import { Rejected } from "../core/errors.ts";
import { type AdapterSettings, type Update, Writes, withId } from "./collection.writes.ts";
import type { CollectionAdapter, Find, Stored } from "./collection-store.ts";
import type { Query } from "./query.ts";
import { SqliteDocuments } from "./sqlite.documents.ts";
import { SqliteFile } from "./sqlite.file.ts";

/** What moleculer-db hands to an adapter; texts come from callers of its own actions. */
type Filters = Omit<Find, "sort"> & { sort?: string | readonly string[]; search?: string };

/**
 * moleculer-db's adapter on the room's SQLite file. The room's settings may have `indexes` and `entity`, the word that
 * names its events (`CustomerSaved`). Queries as in `query.ts`; `search` is refused, an index and `$prefix` do it.
 * Every write is durable when it resolves, raises the document's version and stands in the log.
 */
export class SqliteAdapter implements CollectionAdapter {
  file!: SqliteFile;
  documents!: SqliteDocuments;
  #service!: Service;
  #writes!: Writes;
  #open = false;

  init(_broker: ServiceBroker, service: Service): void {
    this.#service = service;
  }

  async connect(): Promise<void> {
    if (this.#open) return;
    this.file = SqliteFile.open(this.#service.name);
    this.#open = true;
    this.documents = new SqliteDocuments(this.file);
    this.#writes = new Writes(this.documents, this.#service);
    await this.documents.declare((this.#service.settings as AdapterSettings).indexes ?? []);
  }

  async disconnect(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.file.close();
  }

  async find(filters: Filters = {}): Promise<Stored[]> {
    if (filters.search) throw new Rejected("QUERY_REFUSED", "There is no search through whole documents", 400);
    const sort = typeof filters.sort === "string" ? filters.sort.split(/[,\s]+/).filter(Boolean) : filters.sort;
    return this.documents.find({ ...filters, limit: filters.limit ?? undefined, offset: filters.offset ?? 0, sort });
  }

  async findOne(query: Query): Promise<Stored | undefined> {
    return this.documents.find({ query, limit: 1 })[0];
  }

  async findById(id: string): Promise<Stored | undefined> {
    return this.documents.get(id);
  }

  async findByIds(ids: readonly string[]): Promise<Stored[]> {
    return ids.flatMap((id) => this.documents.get(id) ?? []);
  }

  async count(filters: Filters = {}): Promise<number> {
    if (filters.search) throw new Rejected("QUERY_REFUSED", "There is no search through whole documents", 400);
    return this.documents.count(filters.query);
  }

  insert(entity: Record<string, unknown>): Promise<Stored> {
    const document = withId(entity);
    return this.documents.write(() => this.#writes.insert(document));
  }

  /** All or none. */
  insertMany(entities: readonly Record<string, unknown>[]): Promise<Stored[]> {
    const documents = entities.map(withId);
    return this.documents.write(() => documents.map((document) => this.#writes.insert(document)));
  }

  /** Answers how many matched; all are changed or none. */
  updateMany(query: Query, update: Update): Promise<number> {
    return this.documents.write(() => this.documents.find({ query }).map(({ _id }) => this.#writes.update(_id, update)).length);
  }

  updateById(id: string, update: Update): Promise<Stored | undefined> {
    return this.documents.write(() => this.#writes.update(id, update));
  }

  /** Answers how many were removed; all that match are removed or none. */
  removeMany(query: Query): Promise<number> {
    return this.documents.write(() => this.documents.find({ query }).map(({ _id }) => this.#writes.remove(_id)).length);
  }

  removeById(id: string): Promise<Stored | undefined> {
    return this.documents.write(() => this.#writes.remove(id));
  }

  clear(): Promise<number> {
    return this.removeMany({});
  }

  entityToObject(entity: Stored): Stored {
    return entity;
  }

  beforeSaveTransformID(entity: Record<string, unknown>, idField: string): Record<string, unknown> {
    if (idField === "_id" || entity[idField] === undefined) return { ...entity };
    const { [idField]: _id, ...rest } = entity;
    return { ...rest, _id };
  }

  afterRetrieveTransformID(entity: Record<string, unknown>, idField: string): Record<string, unknown> {
    if (idField === "_id") return entity;
    const { _id, ...rest } = entity;
    return { [idField]: _id, ...rest };
  }
}
