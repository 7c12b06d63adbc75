import type { AnyBulkWriteOperation, Collection, Db } from "mongodb";
import { Refused } from "../runtime/refused.ts";
import type { Commit } from "./event-store.ts";
import { type BundleRow, TRAIL, toBundle } from "./mongo.audit-store.ts";
import { type CommitRow, MOST, toRow } from "./mongo.commits.ts";
import { type Row, refusedOf, rows } from "./mongo.host.ts";
import { MongoPortableRecord } from "./mongo.portable-record.ts";
import { DOCUMENTS } from "./mongo.record.ts";
import { type DocumentRow, storable } from "./mongo.rows.ts";
import { begunBefore, type ShownSaga, sagaRows } from "./portable.sagas.ts";
import type { Entries, PortableDocument, PortableKey, PortableTarget, Section } from "./portable-record.ts";

const SIZE = 1_000_000; // characters, about, that one document may take
const KEYS = 32; // that one document keeps
const AT_ONCE = 64;

type Writes = { [S in Section]: (db: Db, entries: readonly Entries[S][]) => Promise<unknown> };

/** A cluster's databases, as they are filled from elsewhere. What arrives counts as published: who follows begins with the record. */
export class MongoPortableTarget extends MongoPortableRecord implements PortableTarget {
  async open(): Promise<void> {
    await this.connect();
  }

  async begin(from: string): Promise<void> {
    const before = await this.moving().findOne({ _id: "mark" });
    if (before) {
      if (before.from !== from) throw new Refused(`${this.name} is being filled from ${before.from}; finish that, or drop its databases`);
      return this.requireUnused();
    }
    for (const room of await this.rooms()) {
      const there = await this.database(room).listCollections({}, { nameOnly: true }).toArray();
      if (there.length > 0)
        throw new Refused(`${this.name} has data (${this.database(room).databaseName}); name another NAMESPACE, or drop its databases`);
    }
    await this.moving().insertOne({ _id: "mark", from, begun: new Date() } as Row);
  }

  async place(room: string, section: Section): Promise<string> {
    return (await this.moving().findOne({ _id: `${room} ${section}` }))?.place ?? "";
  }

  async write<S extends Section>(room: string, section: S, entries: readonly Entries[S][], next: string): Promise<void> {
    if (entries.length > 0) await (WRITES[section] as Writes[S])(this.database(room), entries);
    await this.moving().updateOne({ _id: `${room} ${section}` }, { $set: { place: next } }, { upsert: true });
  }

  async settle(): Promise<void> {}

  async finish(): Promise<void> {
    await this.moving().deleteMany({ _id: { $ne: "mark" } });
    await this.moving().deleteOne({ _id: "mark" });
  }
}

/** Commits of one stream that come together share documents, as when they are made. */
const toRows = (commits: readonly Commit[]): CommitRow[] => {
  const documents: CommitRow[] = [];
  for (const ofStream of Map.groupBy(commits, ({ stream }) => stream).values()) {
    let [together, size]: [Commit[], number] = [[], 0];
    for (const commit of ofStream) {
      const more = JSON.stringify(commit).length;
      if (together.length === MOST || (together.length > 0 && size + more > SIZE)) {
        documents.push(toRow(together, false));
        [together, size] = [[], 0];
      }
      together.push(commit);
      size += more;
    }
    documents.push(toRow(together, false));
  }
  return documents;
};

/** What is there already is left: that it is the same is found out in the end. */
const insert = async <T extends Row>(collection: Collection<T>, documents: readonly T[]) => {
  await collection.insertMany(documents as never, { ordered: false }).catch((error) => void refusedOf(error));
};

const toDocument = ({ document, change, removed }: PortableDocument): DocumentRow =>
  ({ ...(storable(document) as object), _write: { ...change, ...(removed !== undefined && { removed }) } }) as DocumentRow;

/** Oldest first, as they came; a document keeps the latest. */
const putKeys = async (db: Db, entries: readonly PortableKey[]) => {
  const documents = rows<DocumentRow>(db, DOCUMENTS);
  const known = [...Map.groupBy(entries, ({ document }) => document)].filter(([document]) => document !== undefined);
  for (let i = 0; i < known.length; i += AT_ONCE) {
    const some = known.slice(i, i + AT_ONCE);
    const found = await documents.find({ _id: { $in: some.map(([id]) => id!) } }, { projection: { "_write.keys": 1 } }).toArray();
    const byId = new Map(found.map(({ _id, _write }) => [_id, _write?.keys ?? []]));
    const updates = some.flatMap(([id, keys]) => {
      const there = byId.get(id!);
      if (!there) return [];
      const fresh = keys.filter(({ once }) => !there.some((key) => key.once === once)).map(({ document, ...key }) => key);
      const kept = [...there, ...fresh].slice(-KEYS);
      return [{ updateOne: { filter: { _id: id! }, update: { $set: { "_write.keys": kept } } } }];
    });
    if (updates.length > 0) await documents.bulkWrite(updates as AnyBulkWriteOperation<DocumentRow>[], { ordered: false });
  }
};

const putSagas = async (db: Db, commits: readonly Commit[]) => {
  const shown = rows<Row>(db, "sagas");
  const found = await shown.find({ _id: { $in: begunBefore(commits) } }).toArray();
  const before = new Map(found.map(({ _id, ...row }) => [_id, { id: _id, ...row } as unknown as ShownSaga]));
  await insert(rows<CommitRow>(db, "saga_commits"), toRows(commits));
  const writes = sagaRows(commits, before).map(({ id, ...row }) => ({
    replaceOne: { filter: { _id: id }, replacement: row, upsert: true },
  }));
  await shown.bulkWrite(writes as AnyBulkWriteOperation<Row>[], { ordered: false });
};

const keyOf = (...parts: string[]) => parts.join("|");

const WRITES: Writes = {
  async reached(db, entries) {
    const writes = entries.map(({ follower, source, stream, version }) => ({
      replaceOne: { filter: { _id: keyOf(follower, source, stream) }, replacement: { follower, version }, upsert: true },
    }));
    await rows(db, "reached").bulkWrite(writes as AnyBulkWriteOperation<Row>[], { ordered: false });
  },
  async parked(db, entries) {
    const writes = entries.map(({ follower, ...parked }) => ({
      replaceOne: {
        filter: { _id: keyOf(follower, parked.source, parked.stream) },
        replacement: { follower, ...parked },
        upsert: true,
      },
    }));
    await rows(db, "parked").bulkWrite(writes as AnyBulkWriteOperation<Row>[], { ordered: false });
  },
  audit: (db, entries) =>
    insert(
      rows<BundleRow>(db, TRAIL),
      entries.map(({ rows }) => toBundle(rows)),
    ),
  saga_commits: putSagas,
  commits: (db, commits) => insert(rows<CommitRow>(db, "commits"), toRows(commits)),
  documents: (db, entries) => insert(rows<DocumentRow>(db, DOCUMENTS), entries.map(toDocument)),
  keys: putKeys,
};
