import type { Collection, Filter } from "mongodb";
import type { DomainEvent } from "../core/model.ts";
import { upcast } from "../core/upcast.ts";
import type { Commit, EventStore, Logged, Page, Part, Snapshot } from "./event-store.ts";
import { type Alongside, MongoAppends } from "./mongo.appends.ts";
import { type CommitRow, fitting, idOf, readStream } from "./mongo.commits.ts";
import { isDuplicate, MongoHost, type Row, rows } from "./mongo.host.ts";
import type { Outbox } from "./outbox.ts";

interface SnapshotRow extends Row {
  version: number;
  model: number;
  last: string;
  occurredAt: number;
  state: string;
}

/**
 * An event store in the room's MongoDB database. A document holds the commits of one stream that were sent together and
 * is known as `stream@version` of its first: that `_id` is taken once is the whole guarantee, and needs no transaction.
 * Documents are never changed but for their mark. `name` lets one room keep two records apart (its actors, and its sagas,
 * which no bus carries).
 */
export class MongoEventStore implements EventStore, Outbox {
  static readonly #open = new Map<string, MongoEventStore>();

  /** The room's record, opened once per process; each `open` wants its own `close`. */
  static open(room: string, { name = "commits", carried = true } = {}): MongoEventStore {
    const key = `${room}/${name}`;
    const store = MongoEventStore.#open.get(key) ?? new MongoEventStore(room, name, carried);
    MongoEventStore.#open.set(key, store);
    store.#users++;
    return store;
  }

  onCommitted?: (commits: readonly Logged[]) => void;
  readonly #key: string;
  readonly #room: string;
  readonly #host = MongoHost.open();
  readonly #commits: Collection<CommitRow>;
  readonly #snapshots: Collection<SnapshotRow>;
  readonly #appends: MongoAppends;
  readonly #hints: Promise<unknown>;
  #users = 0;

  private constructor(room: string, name: string, carried: boolean) {
    this.#key = `${room}/${name}`;
    this.#room = room;
    const db = this.#host.room(room);
    this.#commits = rows<CommitRow>(db, name);
    this.#snapshots = rows<SnapshotRow>(db, `${name}_snapshots`);
    const tell = (commits: readonly Commit[]) => this.onCommitted?.(commits.map(placed));
    this.#appends = new MongoAppends(this.#host, this.#commits, carried ? tell : undefined);
    // they make a search quicker, and carry nothing: a server that has none finds the same
    this.#hints = Promise.allSettled([
      this.#commits.createIndex({ "commits.once": 1, stream: 1 }, { partialFilterExpression: { "commits.once": { $exists: true } } }),
      this.#commits.createIndex({ open: 1 }, { sparse: true }),
    ]);
  }

  /** `alongside` is written before or after the commit: an index of the caller's own, which may be a moment behind or ahead. */
  append(commit: Commit, alongside?: Alongside): Promise<void> {
    return this.#appends.append(commit, alongside);
  }

  async read<E extends DomainEvent>(stream: string, version = 0, limit = Number.POSITIVE_INFINITY): Promise<Page<E>> {
    const { commits, more } = await this.#host.ask(() => readStream(this.#commits, stream, version, limit, this.#appends.endOf(stream)));
    const last = commits.at(-1);
    if (last && commits.length < limit) this.#appends.know(stream, last);
    const page: Page<E> = commits.map((commit) => this.#shown<E>(commit));
    return more ? Object.assign(page, { more }) : page;
  }

  async recall(stream: string, once: string): Promise<Commit | undefined> {
    const filter = { stream, "commits.once": once } as Filter<CommitRow>;
    const row = await this.#host.ask(() => this.#commits.findOne(filter));
    const commit = row?.commits.find((commit) => commit.once === once);
    return commit && this.#shown({ ...commit, stream });
  }

  async record(after: string, limit: number): Promise<Part> {
    const filter = { _id: { $gt: after } } as Filter<CommitRow>;
    const found = await this.#host.ask(() => fitting(this.#commits.find(filter).sort({ _id: 1 }).limit(limit)));
    const commits = found.flatMap(({ stream, commits }) => commits.map((commit) => this.#shown({ ...commit, stream })));
    return { commits, next: found.at(-1)?._id ?? after };
  }

  async snapshot<S>(stream: string): Promise<Snapshot<S> | undefined> {
    const row = await this.#host.ask(() => this.#snapshots.findOne({ _id: stream }));
    if (!row) return undefined;
    const { version, last, occurredAt, model, state } = row;
    return { stream, version, last, occurredAt, model, state: JSON.parse(state) };
  }

  async keep({ stream, version, model, last, occurredAt, state }: Snapshot): Promise<void> {
    const row = { version, model, last, occurredAt, state: JSON.stringify(state) };
    const older = { _id: stream, $or: [{ version: { $lt: version } }, { model: { $ne: model } }] } as Filter<SnapshotRow>;
    try {
      await this.#host.ask(() => this.#snapshots.updateOne(older, { $set: row }, { upsert: true }));
    } catch (error) {
      if (!isDuplicate(error)) throw error; // there is a newer one: the filter found nothing, and its place is taken
    }
  }

  async unpublished(before: number, limit: number): Promise<Logged[]> {
    const filter = { open: 1, "commits.at": { $lt: before } } as Filter<CommitRow>;
    const found = await this.#host.ask(() => fitting(this.#commits.find(filter).limit(limit)));
    return found
      .sort((a, b) => a.commits[0]!.at - b.commits[0]!.at || a.commits[0]!.version - b.commits[0]!.version)
      .flatMap(({ stream, commits }) => commits.map((commit) => placed({ ...commit, stream })));
  }

  async published(commits: readonly Logged[]): Promise<void> {
    const ids = commits.map(({ stream, version }) => idOf(stream, version)); // those inside a document name none, and do no harm
    await this.#host.ask(() => this.#commits.updateMany({ _id: { $in: ids } }, { $unset: { open: "" } }, { writeConcern: { w: 1 } }));
  }

  async close(): Promise<void> {
    if (--this.#users > 0) return;
    MongoEventStore.#open.delete(this.#key);
    await this.#appends.settled();
    await this.#hints;
    await this.#host.close();
  }

  #shown<E extends DomainEvent>(commit: Commit): Logged<E> {
    return placed({ ...commit, events: commit.events.map((event) => upcast<E>(this.#room, event)) });
  }
}

/** A record that others carry has no places of its own. */
const placed = <E extends DomainEvent>(commit: Commit): Logged<E> => ({ ...commit, position: 0 }) as Logged<E>;
