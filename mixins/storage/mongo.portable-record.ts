import { setTimeout as delay } from "node:timers/promises";
import type { Collection, Db, Filter, MongoClient } from "mongodb";
import { shownAddress } from "../runtime/address.ts";
import { Refused } from "../runtime/refused.ts";
import type { Change } from "./document-log.ts";
import { type BundleRow, rowsOf, TRAIL } from "./mongo.audit-store.ts";
import type { CommitRow } from "./mongo.commits.ts";
import { clientOf, type Row, rows } from "./mongo.host.ts";
import { KEYS } from "./mongo.key-store.ts";
import { DOCUMENTS } from "./mongo.record.ts";
import { type DocumentRow, documentOf } from "./mongo.rows.ts";
import {
  type Entries,
  isViewer,
  type PortableDocument,
  type PortableParked,
  type PortableReach,
  type PortableRecord,
  type Section,
  type Slice,
} from "./portable-record.ts";

const PATIENCE = 60_000; // milliseconds for one answer: nobody waits for it but the move
const WATCH = 3_500; // milliseconds in which whoever runs renews a lease

type Reads = { [S in Section]: (db: Db, after: string, limit: number) => Promise<Slice<S>> };

/** The record of a cluster, in its databases `<namespace>_<room>`. */
export class MongoPortableRecord implements PortableRecord {
  readonly name: string;
  readonly client: MongoClient;
  readonly #namespace: string;

  constructor(address: string, namespace: string) {
    this.#namespace = namespace;
    this.name = `${shownAddress(address)} (${namespace})`;
    this.client = clientOf(address, namespace, PATIENCE);
  }

  async open(): Promise<void> {
    await this.openRunning();
    await this.requireUnused();
  }

  /** Also where nodes run on it: what is read then is of no one moment. */
  async openRunning(): Promise<void> {
    await this.connect();
    if (await this.isMarked()) throw new Refused(`${this.name}: a move into it was interrupted; run it again first`);
  }

  protected async connect(): Promise<void> {
    await this.client.connect().catch((error: Error) => {
      throw new Refused(`${this.name} is not to be had: ${error.message}`);
    });
  }

  /** Throws `Refused` where somebody renews a lease: every node holds some, but for one that runs the gateway alone. */
  async requireUnused(): Promise<void> {
    const before = await this.#beats();
    if (before.size === 0) return;
    await delay(WATCH);
    for (const [name, beat] of await this.#beats()) {
      if (before.get(name) !== beat) throw new Refused(`${this.name} is in use (${name} is held); stop all of its nodes first`);
    }
  }

  async isMarked(): Promise<boolean> {
    return (await this.moving().findOne({ _id: "mark" })) !== null;
  }

  /** What is told of a move that is under way. No room is called so. */
  moving(): Collection<Row> {
    return movingIn(this.client, this.#namespace);
  }

  database(room: string): Db {
    return this.client.db(`${this.#namespace}_${room}`);
  }

  async rooms(): Promise<string[]> {
    const prefix = `${this.#namespace}_`;
    const { databases } = await this.client.db("admin").admin().listDatabases({ nameOnly: true });
    const found = databases.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => name.slice(prefix.length));
    return found.filter((room) => /^[a-z0-9-]+$/.test(room) && room !== HOUSE && room !== KEYS).sort(); // with a bar it is another namespace's
  }

  read<S extends Section>(room: string, section: S, after: string, limit: number): Promise<Slice<S>> {
    return (READS[section] as Reads[S])(this.database(room), after, limit);
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  async #beats(): Promise<Map<string, string>> {
    const beats = new Map<string, string>();
    for (const room of await this.rooms()) {
      for (const { _id, owner, beat } of await rows(this.database(room), "leases").find({}).toArray()) {
        beats.set(`${room}: ${_id}`, `${owner} ${beat}`);
      }
    }
    return beats;
  }
}

const HOUSE = "house";

/** Where a move into a namespace notes how far it has come, with a `mark` while it is not done. */
export const movingIn = (client: MongoClient, namespace: string): Collection<Row> => rows(client.db(`${namespace}_${HOUSE}`), "moving");

const commitsIn =
  <S extends "commits" | "saga_commits">(name: S) =>
  async (db: Db, after: string, limit: number): Promise<Slice<S>> => {
    const found = await rows<CommitRow>(db, name)
      .find({ _id: { $gt: after } } as Filter<CommitRow>)
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    const entries = found.flatMap(({ stream, commits }) => commits.map((commit) => ({ ...commit, stream })));
    return { entries: entries as Entries[S][], next: found.at(-1)?._id ?? after };
  };

/** Documents, from a place on. */
const page = (db: Db, after: string, limit: number, filter: object = {}, projection: object = {}): Promise<DocumentRow[]> =>
  rows<DocumentRow>(db, DOCUMENTS)
    .find({ ...filter, _id: { $gt: after } } as Filter<DocumentRow>, { projection })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();

const toDocument = (row: DocumentRow): PortableDocument => {
  const { open, removed, held, keys, ...change } = row._write;
  return { document: documentOf(row), change: change as Change, ...(removed !== undefined && { removed }) };
};

/** Rows of followers that make calls, in the order of their ids. */
const ofCallers = async <T extends Row>(collection: Collection<Row>, after: string, limit: number): Promise<T[]> => {
  const followers = ((await collection.distinct("follower")) as string[]).filter((follower) => !isViewer(follower));
  if (followers.length === 0) return [];
  const filter = { follower: { $in: followers }, _id: { $gt: after } };
  return (await collection.find(filter).sort({ _id: 1 }).limit(limit).toArray()) as T[];
};

const READS: Reads = {
  async reached(db, after, limit) {
    const found = await ofCallers<Row & { follower: string; version: number }>(rows(db, "reached"), after, limit);
    const entries = found.map(({ _id, follower, version }): PortableReach => {
      const place = _id.slice(follower.length + 1);
      const bar = place.indexOf("|");
      return { follower, source: place.slice(0, bar), stream: place.slice(bar + 1), version };
    });
    return { entries: entries.filter(({ version }) => version > 0), next: found.at(-1)?._id ?? after };
  },
  async parked(db, after, limit) {
    const found = await ofCallers<Row>(rows(db, "parked"), after, limit);
    return {
      entries: found.map(({ _id, ...parked }) => withoutNothing(parked) as unknown as PortableParked),
      next: found.at(-1)?._id ?? after,
    };
  },
  async audit(db, after, limit) {
    const found = await rows<BundleRow>(db, TRAIL)
      .find({ _id: { $gt: after } } as Filter<BundleRow>)
      .sort({ _id: 1 })
      .limit(Math.ceil(limit / 8))
      .toArray();
    return { entries: found.map((bundle) => ({ rows: rowsOf(bundle) })), next: found.at(-1)?._id ?? after };
  },
  saga_commits: commitsIn("saga_commits"),
  commits: commitsIn("commits"),
  async documents(db, after, limit) {
    const found = await page(db, after, limit, {}, { "_write.keys": 0 });
    return { entries: found.map(toDocument), next: found.at(-1)?._id ?? after };
  },
  async keys(db, after, limit) {
    const found = await page(db, after, limit, { "_write.keys": { $exists: true } }, { "_write.keys": 1 });
    const entries = found.flatMap(({ _id, _write }) => (_write.keys ?? []).map((key): Entries["keys"] => ({ ...key, document: _id })));
    return { entries, next: found.at(-1)?._id ?? after };
  },
};

const withoutNothing = (fields: object) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
