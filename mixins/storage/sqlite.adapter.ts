import { randomUUIDv7 } from "node:crypto";
import type { Service, ServiceBroker } from "moleculer";
import { Rejected } from "../core/errors.ts";
import type { Change } from "./document-log.ts";
import type { Document, Query } from "./query.ts";
import { type Find, SqliteDocuments, type Stored } from "./sqlite.documents.ts";
import { SqliteFile } from "./sqlite.file.ts";
import type { IndexDeclaration } from "./sqlite.indexes.ts";

/** What moleculer-db hands to an adapter; texts come from callers of its own actions. */
type Filters = Omit<Find, "sort"> & { sort?: string | readonly string[]; search?: string };
type Settings = { indexes?: readonly IndexDeclaration[]; entity?: string };
type Update = { $set?: Record<string, unknown>; $unset?: Record<string, unknown> };

/**
 * moleculer-db's adapter on the room's SQLite file. The room's settings may have `indexes` and `entity`, the word that
 * names its events (`CustomerSaved`). Queries as in `query.ts`; `search` is refused, an index and `$prefix` do it.
 * Every write is durable when it resolves, raises the document's version and stands in the log.
 */
export class SqliteAdapter {
  file!: SqliteFile;
  documents!: SqliteDocuments;
  #service!: Service;
  #open = false;

  init(_broker: ServiceBroker, service: Service): void {
    this.#service = service;
  }

  async connect(): Promise<void> {
    if (this.#open) return;
    this.file = SqliteFile.open(this.#service.name);
    this.#open = true;
    this.documents = new SqliteDocuments(this.file);
    await this.documents.declare((this.#service.settings as Settings).indexes ?? []);
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
    return this.file.write(() => this.#insert(entity));
  }

  /** All or none. */
  insertMany(entities: readonly Record<string, unknown>[]): Promise<Stored[]> {
    return this.file.write(() => entities.map((entity) => this.#insert(entity)));
  }

  /** Answers how many matched; all are changed or none. */
  updateMany(query: Query, update: Update): Promise<number> {
    return this.file.write(() => this.documents.find({ query }).map((found) => this.#update(found, update)).length);
  }

  updateById(id: string, update: Update): Promise<Stored | undefined> {
    return this.file.write(() => {
      const found = this.documents.get(id);
      return found && this.#update(found, update);
    });
  }

  /** Answers how many were removed; all that match are removed or none. */
  removeMany(query: Query): Promise<number> {
    return this.file.write(() => this.documents.find({ query }).map(({ _id }) => this.#remove(_id)).length);
  }

  removeById(id: string): Promise<Stored | undefined> {
    return this.file.write(() => this.#remove(id));
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

  #insert(entity: Record<string, unknown>): Stored {
    const document: Document = { ...entity, _id: (entity._id as string | undefined) ?? randomUUIDv7() };
    refuseTaken(this.documents, document._id);
    return this.documents.put(document, this.#change("Saved"));
  }

  #update(found: Stored, update: Update): Stored {
    const { $set = {}, $unset = {}, ...unknown } = update;
    const names = [...Object.keys($set), ...Object.keys($unset)];
    const broken = [...Object.keys(unknown), ...names.filter((name) => /[.$]/.test(name) || name === "_id" || name === "__proto__")];
    if (broken.length > 0) throw new Rejected("QUERY_REFUSED", `An update cannot use ${broken.join(", ")}`, 400);
    const document = { ...found, ...$set };
    for (const name of Object.keys($unset)) delete (document as Record<string, unknown>)[name];
    return this.documents.put(document, this.#change("Saved"));
  }

  /** Answers with the document as it was. */
  #remove(id: string): Stored | undefined {
    const found = this.documents.get(id);
    if (found) this.documents.remove(id, this.#change("Removed"));
    return found;
  }

  #change(what: "Saved" | "Removed"): Change {
    const at = Date.now();
    return {
      id: randomUUIDv7(),
      type: `${(this.#service.settings as Settings).entity ?? "Document"}${what}`,
      at,
      occurredAt: at,
    };
  }
}

/** Inside a write: throws where the id stands for a document, or for one that was removed. */
export const refuseTaken = (documents: SqliteDocuments, id: string): void => {
  const before = documents.look(id);
  if (before?.removed) throw new Rejected("DOCUMENT_REMOVED", "What had this id was removed", 410, { id });
  if (before) throw new Rejected("DOCUMENT_EXISTS", "There is one with this id already", 409, { id });
};
