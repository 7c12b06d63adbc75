import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { DocumentEvent } from "./document-log.ts";
import type { Logged, Part } from "./event-store.ts";
import { MongoHost, rows } from "./mongo.host.ts";
import { commitOf, type DocumentRow } from "./mongo.rows.ts";
import type { Outbox } from "./outbox.ts";

type Commits = readonly Logged<DocumentEvent>[];

const TOMBSTONES_FOR = 90 * 86_400_000; // milliseconds

/** Callers' keys stay inside: a read does not carry their answers along. */
export const WITHOUT_KEYS = { "_write.keys": 0 };

/**
 * A collection's record: each document, or its tombstone, as one commit, and whether that has been published. It has no
 * order but that of its ids, and no positions.
 */
export class MongoRecord implements Outbox {
  /** A room's record for who follows it, whether the room runs here or not. It wants its own `close`. */
  static open(room: string): MongoRecord {
    const host = MongoHost.open();
    return new MongoRecord(host, rows<DocumentRow>(host.room(room), DOCUMENTS));
  }

  onCommitted?: (commits: readonly Logged[]) => void;
  readonly #host: MongoHost;
  readonly #rows: Collection<DocumentRow>;

  constructor(host: MongoHost, rows: Collection<DocumentRow>) {
    this.#host = host;
    this.#rows = rows;
  }

  async unpublished(before: number, limit: number): Promise<Logged<DocumentEvent>[]> {
    const filter = { "_write.open": 1, "_write.at": { $lt: before } } as const;
    const options = { projection: WITHOUT_KEYS, sort: { "_write.at": 1, _id: 1 }, limit } as const;
    return (await this.#host.ask(() => this.#rows.find(filter, options).toArray())).map(commitOf);
  }

  /** What was written since keeps its mark. */
  async published(commits: readonly Pick<Logged, "stream" | "version">[]): Promise<void> {
    if (commits.length === 0) return;
    const writes = commits.map(({ stream, version }) => ({
      updateOne: { filter: { _id: stream, version }, update: { $unset: { "_write.open": "" } } },
    })) as AnyBulkWriteOperation<DocumentRow>[];
    await this.#host.ask(() => this.#rows.bulkWrite(writes, { ordered: false, writeConcern: { w: 1 } })); // a hint may be lost
  }

  /** To whoever carries them: these have just been stored. */
  tell(stored: readonly DocumentRow[]): void {
    if (stored.length > 0) this.onCommitted?.(stored.map(commitOf) satisfies Commits);
  }

  async record(after: string, limit: number): Promise<Part<DocumentEvent>> {
    const options = { projection: WITHOUT_KEYS, sort: { _id: 1 }, limit } as const;
    const found = await this.#host.ask(() => this.#rows.find({ _id: { $gt: after } }, options).toArray());
    return { commits: found.map(commitOf), next: found.at(-1)?._id ?? after };
  }

  /** The last write of one document, where its version is above `version`. */
  async read(stream: string, version: number): Promise<Logged<DocumentEvent>[]> {
    const found = await this.#host.ask(() => this.#rows.find({ _id: stream }, { projection: WITHOUT_KEYS }).toArray());
    return found.map(commitOf).filter((commit) => commit.version > version);
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}

/** Where a room's documents stand in its database. */
export const DOCUMENTS = "documents";

/** Takes two tombstones away that are old enough, and published. */
export const sweep = async (host: MongoHost, rows: Collection<DocumentRow>): Promise<void> => {
  const old = { "_write.removed": { $lt: Date.now() - TOMBSTONES_FOR }, "_write.open": null };
  const found = await host.ask(() => rows.find(old, { projection: { _id: 1 }, limit: 2 }).toArray());
  if (found.length > 0) await host.ask(() => rows.deleteMany({ ...old, _id: { $in: found.map(({ _id }) => _id) } }));
};
