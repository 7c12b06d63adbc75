import type { Logged, Page, Part } from "../storage/event-store.ts";
import { SqliteDocuments } from "../storage/sqlite.documents.ts";
import { SqliteEventStore } from "../storage/sqlite.event-store.ts";
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
  #record?: SqliteDocuments | SqliteEventStore;

  constructor(room: string) {
    this.#room = room;
    this.#file = SqliteFile.open(room);
    this.#kind = this.#file.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('collection', 'commits')");
  }

  async log(after: string, limit: number): Promise<Part> {
    const commits = (await this.#open()?.log(Number(after), limit)) ?? [];
    return { commits, next: commits.length > 0 ? String(commits.at(-1)!.position) : after };
  }

  record(after: string, limit: number): Promise<Part> {
    return this.log(after, limit);
  }

  async read(stream: string, version: number, limit: number): Promise<Page> {
    return (await this.#open()?.read(stream, version, limit)) ?? [];
  }

  async progress(at: string): Promise<{ position: number; end: number }> {
    return { position: Number(at), end: (await this.#open()?.end()) ?? 0 };
  }

  passed({ position }: Logged, at: string): boolean {
    return position <= Number(at);
  }

  listen(listener: () => void): () => void {
    return this.#file.listen(listener);
  }

  async close(): Promise<void> {
    await Promise.all([this.#record?.close(), this.#file.close()]);
  }

  #open(): SqliteDocuments | SqliteEventStore | undefined {
    if (this.#record) return this.#record;
    const kind = this.#kind.get()?.name;
    if (kind) this.#record = kind === "collection" ? SqliteDocuments.open(this.#room) : SqliteEventStore.open(this.#room);
    return this.#record;
  }
}
