import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { KeyRow, KeyStore, Rewrapping } from "./key-store.ts";
import { MongoHost, type Row, rows } from "./mongo.host.ts";

/** The name, behind the namespace, of the database that no backup and no move takes along. */
export const KEYS = "keys";

type Kept = Row & Omit<KeyRow, "id">;

/** Keys in a database of their own, `<namespace>_keys`. */
export class MongoKeyStore implements KeyStore {
  readonly #host = MongoHost.open();
  readonly #keys: Collection<Kept>;

  constructor() {
    this.#keys = rows<Kept>(this.#host.room(KEYS), "keys");
    const quicker = (["by", "destroyed"] as const).map((field) => ({ key: { [field]: 1 as const }, sparse: true }));
    void this.#host.ask(() => this.#keys.createIndexes(quicker)).catch(() => {});
  }

  add(added: readonly KeyRow[]): Promise<void> {
    return this.#write(
      added.map(({ id, ...row }) => ({ updateOne: { filter: { _id: id }, update: { $setOnInsert: row }, upsert: true } })),
    );
  }

  find(ids: readonly string[]): Promise<KeyRow[]> {
    return this.#read({ _id: { $in: [...ids] } });
  }

  ofKind(kind: "kek" | "index"): Promise<KeyRow[]> {
    return this.#read({ _id: { $gt: `${kind}~`, $lt: `${kind}~~` } });
  }

  under(kek: string, limit: number): Promise<KeyRow[]> {
    return this.#read({ by: kek }, limit);
  }

  rewrap(changes: readonly Rewrapping[]): Promise<void> {
    return this.#write(
      changes.map(({ id, from, wrapped, by }) => ({
        updateOne: { filter: { _id: id, wrapped: from }, update: { $set: { wrapped, by } } },
      })),
    );
  }

  destroyedSince(at: number, limit: number): Promise<KeyRow[]> {
    return this.#read({ destroyed: { $gte: at } }, limit);
  }

  async remove(kek: string): Promise<void> {
    await this.#host.ask(() => this.#keys.deleteOne({ _id: kek, kind: "kek" } as object));
  }

  count(kek: string): Promise<number> {
    return this.#host.ask(() => this.#keys.countDocuments({ by: kek } as object));
  }

  all(after: string, limit: number): Promise<KeyRow[]> {
    return this.#read({ _id: { $gt: after } }, limit);
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  async #read(filter: object, limit = 0): Promise<KeyRow[]> {
    const found = await this.#host.ask(() => this.#keys.find(filter, { sort: { _id: 1 }, limit }).toArray());
    return found.map(({ _id, ...row }) => ({ id: _id, ...row }) as KeyRow);
  }

  async #write(operations: AnyBulkWriteOperation<Kept>[]): Promise<void> {
    if (operations.length > 0) await this.#host.ask(() => this.#keys.bulkWrite(operations, { ordered: false }));
  }
}
