import type { Collection, Db } from "mongodb";
import { MongoHost, type Row, rows } from "./mongo.host.ts";
import { MongoViewStore, viewName } from "./mongo.view-store.ts";
import type { ViewFile, ViewSpec, ViewStore } from "./view-store.ts";

interface ServingRow extends Row {
  generation: number;
  number: number;
}

const LINGER = 10_000; // milliseconds that a generation is left to those who are about to read it

/** The views of one room in its database: which generation of each serves, and their collections. */
export class MongoViewFile implements ViewFile {
  readonly #host = MongoHost.open();
  readonly #db: Db;
  readonly #serving: Collection<ServingRow>;
  readonly #retiring = new Set<NodeJS.Timeout>();
  #asked = 0;

  constructor(room: string) {
    this.#db = this.#host.room(room);
    this.#serving = rows<ServingRow>(this.#db, "views");
  }

  async serving(view: string): Promise<{ generation: number; number: number } | undefined> {
    const row = await this.#host.ask(() => this.#serving.findOne({ _id: view }));
    return row ? { generation: row.generation, number: row.number } : undefined;
  }

  async serve(view: string, generation: number, number: number): Promise<void> {
    await this.#host.ask(() => this.#serving.updateOne({ _id: view }, { $set: { generation, number } }, { upsert: true }));
  }

  async drop(view: string, generation: number): Promise<void> {
    const name = viewName(view, generation);
    await this.#host.ask(async () => {
      const there = await this.#db.listCollections({}, { nameOnly: true }).toArray(); // servers differ in what they say of one that is not there
      for (const collection of there)
        if ([name, `${name}_figures`].includes(collection.name)) await this.#db.dropCollection(collection.name);
    });
  }

  async retire(view: string, generation: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#retiring.delete(timer);
      this.drop(view, generation).catch(() => {});
    }, LINGER).unref();
    this.#retiring.add(timer);
  }

  open<D extends object>(spec: ViewSpec<D>, generation: number): ViewStore<D> {
    return new MongoViewStore(this.#host, this.#db, spec, generation);
  }

  /** Another process may have written at any time, and nothing tells: each answer is read. */
  outside(): number {
    return ++this.#asked;
  }

  async close(): Promise<void> {
    for (const timer of this.#retiring) clearTimeout(timer);
    await this.#host.close();
  }
}
