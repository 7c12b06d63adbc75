import type { Service, ServiceBroker } from "moleculer";
import MongoDbAdapter from "moleculer-db-adapter-mongo";
import type { Collection, Db, MongoClient } from "mongodb";
import { Rejected } from "../core/errors.ts";
import { type AdapterSettings, type Update, Writes, withId } from "./collection.writes.ts";
import type { CollectionAdapter, Find, Stored } from "./collection-store.ts";
import { MongoDocuments } from "./mongo.documents.ts";
import { MongoHost, rows } from "./mongo.host.ts";
import { DOCUMENTS } from "./mongo.record.ts";
import type { Query } from "./query.ts";

type Filters = Omit<Find, "sort"> & { sort?: string | readonly string[]; search?: string };

/** As it is written, not as its types say: they belong to a driver that ended. */
const Base = MongoDbAdapter as unknown as new (
  uri?: string,
) => {
  broker: ServiceBroker;
  service: Service;
  client: MongoClient;
  db: Db;
  collection: Collection<never>;
  entityToObject(entity: Stored): Stored;
  beforeSaveTransformID(entity: Record<string, unknown>, idField: string): Record<string, unknown>;
  afterRetrieveTransformID(entity: Record<string, unknown>, idField: string): Record<string, unknown>;
};

/**
 * `moleculer-db-adapter-mongo` on the driver of today: on the connection of the process, in the database of the room.
 * Ids are texts. It reads and writes by way of `MongoDocuments`, so that queries mean what they mean embedded, every
 * write raises the document's version and carries its event, and what was removed stays so. Of several documents each is
 * stored by itself.
 */
export class MongoAdapter extends Base implements CollectionAdapter {
  documents!: MongoDocuments;
  #host?: MongoHost;
  #writes!: Writes;

  init(broker: ServiceBroker, service: Service): void {
    this.broker = broker;
    this.service = service;
  }

  async connect(): Promise<void> {
    if (this.#host) return;
    this.#host = MongoHost.open();
    this.client = this.#host.client;
    this.db = this.#host.room(this.service.name);
    this.collection = rows(this.db, DOCUMENTS) as unknown as Collection<never>;
    this.documents = new MongoDocuments(this.#host, this.db);
    this.#writes = new Writes(this.documents, this.service);
    await this.documents.declare((this.service.settings as AdapterSettings).indexes ?? [], (error) =>
      this.service.logger.warn({ event: "index.refused", room: this.service.name, reason: error.message }),
    );
  }

  async disconnect(): Promise<void> {
    const host = this.#host;
    this.#host = undefined;
    await host?.close();
  }

  async find(filters: Filters = {}): Promise<Stored[]> {
    if (filters.search) throw new Rejected("QUERY_REFUSED", "There is no search through whole documents", 400);
    const sort = typeof filters.sort === "string" ? filters.sort.split(/[,\s]+/).filter(Boolean) : filters.sort;
    return this.documents.find({ ...filters, limit: filters.limit ?? undefined, offset: filters.offset ?? 0, sort });
  }

  async findOne(query: Query): Promise<Stored | undefined> {
    return (await this.documents.find({ query, limit: 1 }))[0];
  }

  findById(id: string): Promise<Stored | undefined> {
    return this.documents.consult(() => this.documents.get(id));
  }

  findByIds(ids: readonly string[]): Promise<Stored[]> {
    return this.documents.consult(() => ids.flatMap((id) => this.documents.get(id) ?? []));
  }

  async count(filters: Filters = {}): Promise<number> {
    if (filters.search) throw new Rejected("QUERY_REFUSED", "There is no search through whole documents", 400);
    return this.documents.count(filters.query);
  }

  insert(entity: Record<string, unknown>): Promise<Stored> {
    const document = withId(entity);
    return this.documents.write(() => this.#writes.insert(document));
  }

  insertMany(entities: readonly Record<string, unknown>[]): Promise<Stored[]> {
    const documents = entities.map(withId);
    return this.documents.write(() => documents.map((document) => this.#writes.insert(document)));
  }

  async updateMany(query: Query, update: Update): Promise<number> {
    const found = await this.documents.find({ query });
    const updated = await this.documents.write(() => found.map(({ _id }) => this.#writes.update(_id, update)));
    return updated.filter(Boolean).length;
  }

  updateById(id: string, update: Update): Promise<Stored | undefined> {
    return this.documents.write(() => this.#writes.update(id, update));
  }

  async removeMany(query: Query): Promise<number> {
    const found = await this.documents.find({ query });
    const removed = await this.documents.write(() => found.map(({ _id }) => this.#writes.remove(_id)));
    return removed.filter(Boolean).length;
  }

  removeById(id: string): Promise<Stored | undefined> {
    return this.documents.write(() => this.#writes.remove(id));
  }

  clear(): Promise<number> {
    return this.removeMany({});
  }

  createCursor(): never {
    throw new Rejected("QUERY_REFUSED", "Documents are found by `find`", 400);
  }

  /** No text is an ObjectID here, also where it looks like one. */
  stringToObjectID(id: string): string {
    return id;
  }
}
