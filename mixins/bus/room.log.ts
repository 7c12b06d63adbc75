import type { Logged } from "../storage/event-store.ts";
import { openEventStore } from "../storage/open.ts";
import { SqliteDocuments } from "../storage/sqlite.documents.ts";
import { SqliteFile } from "../storage/sqlite.file.ts";
import type { Log } from "./log.ts";

/**
 * A room's record as its file has it: an actor room's commits, or a collection's documents. Who follows a room need not
 * know which it is, nor wait for the room to have started: as long as the file says nothing, nothing has happened.
 */
export class RoomLog implements Log {
  readonly #room: string;
  readonly #file: SqliteFile;
  readonly #kind;
  #record?: Log;

  constructor(room: string) {
    this.#room = room;
    this.#file = SqliteFile.open(room);
    this.#kind = this.#file.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('collection', 'commits')");
  }

  async log(after: number, limit: number): Promise<Logged[]> {
    return (await this.#open()?.log(after, limit)) ?? [];
  }

  async read(stream: string, version: number, limit: number): Promise<Logged[]> {
    return (await this.#open()?.read(stream, version, limit)) ?? [];
  }

  async end(): Promise<number> {
    return (await this.#open()?.end()) ?? 0;
  }

  listen(listener: () => void): () => void {
    return this.#file.listen(listener);
  }

  async close(): Promise<void> {
    await Promise.all([this.#record?.close(), this.#file.close()]);
  }

  #open(): Log | undefined {
    if (this.#record) return this.#record;
    const kind = this.#kind.get()?.name;
    if (kind) this.#record = kind === "collection" ? SqliteDocuments.open(this.#room) : openEventStore(this.#room);
    return this.#record;
  }
}
