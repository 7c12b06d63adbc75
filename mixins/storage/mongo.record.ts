import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { DocumentEvent } from "./document-log.ts";
import type { Logged } from "./event-store.ts";
import type { MongoHost } from "./mongo.host.ts";
import { commitOf, type DocumentRow } from "./mongo.rows.ts";
import type { RecordPage, Unpublished } from "./outbox.ts";

type Commits = readonly Logged<DocumentEvent>[];

const TOMBSTONES_FOR = 90 * 86_400_000; // milliseconds

/** Callers' keys stay inside: a read does not carry their answers along. */
export const WITHOUT_KEYS = { "_write.keys": 0 };

/** A collection's record: each document, or its tombstone, as one commit, and whether that has been published. */
export class MongoRecord implements Unpublished<DocumentEvent> {
  readonly #host: MongoHost;
  readonly #rows: Collection<DocumentRow>;
  readonly #listeners = new Set<(commits: Commits) => void>();

  constructor(host: MongoHost, rows: Collection<DocumentRow>) {
    this.#host = host;
    this.#rows = rows;
  }

  async unpublished(limit: number): Promise<Logged<DocumentEvent>[]> {
    const options = { projection: WITHOUT_KEYS, sort: { "_write.at": 1, _id: 1 }, limit } as const;
    return (await this.#host.ask(() => this.#rows.find({ "_write.open": 1 }, options).toArray())).map(commitOf);
  }

  async published(commits: Commits): Promise<void> {
    if (commits.length === 0) return;
    const writes = commits.map(({ stream, version }) => ({
      updateOne: { filter: { _id: stream, version }, update: { $unset: { "_write.open": "" } } },
    })) as AnyBulkWriteOperation<DocumentRow>[];
    await this.#host.ask(() => this.#rows.bulkWrite(writes, { ordered: false, writeConcern: { w: 1 } })); // a hint may be lost
  }

  onCommitted(listener: (commits: Commits) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To those who listen: these have just been stored. */
  tell(stored: readonly DocumentRow[]): void {
    if (stored.length === 0 || this.#listeners.size === 0) return;
    const commits = stored.map(commitOf);
    for (const listener of this.#listeners) listener(commits);
  }

  async record(after: string, limit: number): Promise<RecordPage<DocumentEvent>> {
    const options = { projection: WITHOUT_KEYS, sort: { _id: 1 }, limit } as const;
    const found = await this.#host.ask(() => this.#rows.find({ _id: { $gt: after } }, options).toArray());
    const commits = found.map(commitOf);
    return found.length < limit ? { commits } : { commits, next: found.at(-1)!._id };
  }

  /** The last write of one document, where its version is above `version`. */
  async read(stream: string, version: number): Promise<Logged<DocumentEvent>[]> {
    const found = await this.#host.ask(() => this.#rows.find({ _id: stream }, { projection: WITHOUT_KEYS }).toArray());
    return found.map(commitOf).filter((commit) => commit.version > version);
  }
}

/** Takes two tombstones away that are old enough, and published. */
export const sweep = async (host: MongoHost, rows: Collection<DocumentRow>): Promise<void> => {
  const old = { "_write.removed": { $lt: Date.now() - TOMBSTONES_FOR }, "_write.open": null };
  const found = await host.ask(() => rows.find(old, { projection: { _id: 1 }, limit: 2 }).toArray());
  if (found.length > 0) await host.ask(() => rows.deleteMany({ ...old, _id: { $in: found.map(({ _id }) => _id) } }));
};
