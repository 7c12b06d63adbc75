import type { Collection, Db } from "mongodb";
import type { CollectionStore } from "./collection-store.ts";
import { MongoCursorStore } from "./mongo.cursor-store.ts";
import { MongoDocuments } from "./mongo.documents.ts";
import { MongoHost, type Row, rows } from "./mongo.host.ts";
import { MongoViewFile } from "./mongo.view-file.ts";
import type { RanStep, SchemaStore } from "./schema-store.ts";

type StepRow = Row & RanStep;

/** The steps of a room in its database. */
export class MongoSchemaStore implements SchemaStore {
  readonly #room: string;
  readonly #host = MongoHost.open();
  readonly #db: Db;
  readonly #steps: Collection<StepRow>;

  constructor(room: string) {
    this.#room = room;
    this.#db = this.#host.room(room);
    this.#steps = rows<StepRow>(this.#db, "schema");
  }

  async ran(): Promise<RanStep[]> {
    const found = await this.#host.ask(() => this.#steps.find({}).toArray());
    return found.map(({ _id, ...step }) => step as RanStep).sort((a, b) => a.number - b.number);
  }

  async note(step: RanStep): Promise<void> {
    const _id = String(step.number);
    await this.#host.ask(() => this.#steps.replaceOne({ _id }, { ...step }, { upsert: true }));
  }

  async dropView(name: string, number: number): Promise<void> {
    const key = `${name}_${number}`;
    const [views, cursors] = [new MongoViewFile(this.#room), new MongoCursorStore(this.#room)];
    try {
      const there = await this.#host.ask(() => this.#db.listCollections({}, { nameOnly: true }).toArray());
      const start = `view_${key}_`;
      const generations = there.flatMap(({ name }) => (name.startsWith(start) ? Number.parseInt(name.slice(start.length), 10) : []));
      for (const generation of new Set(generations.filter(Number.isInteger))) {
        await views.drop(key, generation);
        await cursors.drop(`view/${key}/${generation}`);
      }
      await this.#host.ask(() => rows(this.#db, "views").deleteOne({ _id: key }));
    } finally {
      await Promise.all([views.close(), cursors.close()]);
    }
  }

  documents(): CollectionStore {
    return new MongoDocuments(this.#host, this.#db);
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}

export const lookAtSteps = async (room: string): Promise<RanStep[]> => {
  const store = new MongoSchemaStore(room);
  try {
    return await store.ran();
  } finally {
    await store.close();
  }
};
