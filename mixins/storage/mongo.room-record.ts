import type { Page, Part } from "./event-store.ts";
import { MongoEventStore } from "./mongo.event-store.ts";
import { MongoRecord } from "./mongo.record.ts";

const DOCUMENTS = "documents/";

/** A room's record for those who follow it, who need not know whether it holds streams of events or documents, nor wait for it to hold any. */
export class MongoRoomRecord {
  readonly #events: MongoEventStore;
  readonly #documents: MongoRecord;
  /** Known once one of them has held something: a room has the one or the other. */
  #kind?: "events" | "documents";

  constructor(room: string) {
    this.#events = MongoEventStore.open(room);
    this.#documents = MongoRecord.open(room);
  }

  async record(after: string, limit: number): Promise<Part> {
    if (!after.startsWith(DOCUMENTS)) {
      const part = await this.#events.record(after, limit);
      if (part.commits.length > 0) this.#kind = "events";
      if (part.next !== after || this.#kind === "events") return part;
    }
    const { commits, next } = await this.#documents.record(after.slice(DOCUMENTS.length), limit);
    if (commits.length > 0) this.#kind = "documents";
    return commits.length > 0 ? { commits, next: DOCUMENTS + next } : { commits, next: after };
  }

  async read(stream: string, version: number, limit: number): Promise<Page> {
    if (this.#kind !== "documents") {
      const commits = await this.#events.read(stream, version, limit);
      if (commits.length > 0) this.#kind = "events";
      if (this.#kind === "events") return commits;
    }
    const commits = await this.#documents.read(stream, version);
    if (commits.length > 0) this.#kind = "documents";
    return commits;
  }

  async close(): Promise<void> {
    await Promise.all([this.#events.close(), this.#documents.close()]);
  }
}
