import type { Collection, Filter } from "mongodb";
import type { SagaEvent } from "../core/saga.ts";
import { type Commit, readWhole } from "./event-store.ts";
import { MongoEventStore } from "./mongo.event-store.ts";
import { isDuplicate, MongoHost, type Row, rows } from "./mongo.host.ts";
import type { SagaRow, SagaStore } from "./saga-store.ts";

interface IndexRow extends Row, Omit<SagaRow, "id"> {
  /** The version of the saga's record that it shows. */
  version: number;
}

const LOOK = 200; // milliseconds between two looks for what other processes stored, while somebody waits for it
const ENDED = ["completed", "undone"];

/**
 * Sagas in the room's database. Where each stands is kept beside the record, and cannot be written with it at once: that
 * one goes on is written first, that it has ended last. So what an accident leaves shows a saga that has ended, or has
 * not begun, as one that runs; whoever looks after it finds out.
 */
export class MongoSagaStore implements SagaStore {
  readonly #host = MongoHost.open();
  readonly #store: MongoEventStore;
  readonly #rows: Collection<IndexRow>;
  readonly #listeners = new Set<() => void>();
  #timer?: NodeJS.Timeout;

  constructor(room: string) {
    this.#store = MongoEventStore.open(room, { name: "saga_commits", carried: false });
    this.#rows = rows<IndexRow>(this.#host.room(room), "sagas");
    void this.#rows.createIndex({ status: 1, _id: 1 }).catch(() => {});
  }

  async append(commit: Commit<SagaEvent>, row?: SagaRow): Promise<void> {
    const put = row && (() => this.#put(row, commit.version));
    await this.#store.append(commit, put && (ENDED.includes(row.status) ? { after: put } : { before: put }));
    this.#tell();
  }

  read(id: string): Promise<Commit<SagaEvent>[]> {
    return readWhole<SagaEvent>(this.#store, id);
  }

  async list(status: string, after: string, limit: number): Promise<SagaRow[]> {
    const filter = { status, _id: { $gt: after } } as Filter<IndexRow>;
    const found = await this.#host.ask(() => this.#rows.find(filter).sort({ _id: 1 }).limit(limit).toArray());
    return found.map(({ _id, version, ...row }) => ({ id: _id, ...row }));
  }

  async correct(row: SagaRow, version: number): Promise<void> {
    await this.#put(row, version);
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#tell(), LOOK).unref();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#store.close();
    await this.#host.close();
  }

  async #put({ id, ...row }: SagaRow, version: number) {
    const older = { _id: id, version: { $lte: version } } as Filter<IndexRow>;
    try {
      await this.#host.ask(() => this.#rows.updateOne(older, { $set: { ...row, version } }, { upsert: true }));
    } catch (error) {
      if (!isDuplicate(error)) throw error; // it shows a later one already
    }
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
