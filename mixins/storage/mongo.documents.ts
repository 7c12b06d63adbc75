import { setTimeout as delay } from "node:timers/promises";
import { type AnyBulkWriteOperation, type Collection, type Db, MongoBulkWriteError, MongoServerError } from "mongodb";
import { Conflict, Rejected, Unavailable } from "../core/errors.ts";
import { nameOf } from "./collection.writes.ts";
import type { CollectionStore, Find, IndexDeclaration, Looked, Page, Paging, RequestKey, Stored } from "./collection-store.ts";
import type { Change, DocumentEvent } from "./document-log.ts";
import type { Part } from "./event-store.ts";
import { Draft, type Staged } from "./mongo.draft.ts";
import { isDuplicate, type MongoHost, rows } from "./mongo.host.ts";
import { recalled } from "./mongo.keys.ts";
import { all, beyond, fieldOf, parsePlaces, placesOf, sortOf, toMongo } from "./mongo.query.ts";
import { DOCUMENTS, MongoRecord, sweep, WITHOUT_KEYS } from "./mongo.record.ts";
import { type DocumentRow, documentOf } from "./mongo.rows.ts";
import { type Index, parseSort, planOf } from "./query.plan.ts";
import { type Document, parse, type Query } from "./query.ts";

/** What came of a run of somebody's work. */
type Outcome<T> = { answer: T } | { error: unknown };

const MAX_FOUND = 10_000; // documents in memory where a caller sets no limit
const MAX_TRIES = 30; // times that other processes may be first
const MAX_RUNS = 20; // times that a run may find that it knows too little
const WHOLE = {};
const WITHOUT_WRITE = { _write: 0 };

/**
 * A room's documents on MongoDB, one row each, with the write that made it: its event, the mark that this is still to be
 * published, the latest keys under which callers wrote. Nothing is needed of MongoDB but that an `_id` is there once and
 * a row is written whole.
 *
 * A write runs its work on what it has loaded, and stores each document only where that still is as the work saw it:
 * otherwise it loads again and runs again. Of several documents each is stored by itself, in order, and the first that
 * somebody else was faster with stops those behind it.
 */
export class MongoDocuments implements CollectionStore {
  readonly outbox: MongoRecord;
  readonly #host: MongoHost;
  readonly #rows: Collection<DocumentRow>;
  readonly #turns = new Map<string, Promise<void>>();
  #indexes: Index[] = [];
  #draft?: Draft;

  constructor(host: MongoHost, db: Db) {
    this.#host = host;
    this.#rows = rows<DocumentRow>(db, DOCUMENTS);
    this.outbox = new MongoRecord(host, this.#rows);
  }

  /**
   * Indexes make reads quick and carry nothing, but for those that are unique: these the server must keep, or two
   * documents may share a value. What a room cannot do without belongs in the id.
   */
  async declare(declared: readonly IndexDeclaration[], refused: (error: Error) => void = () => {}): Promise<void> {
    this.#indexes = declared.map(({ fields, unique = false }, number) => ({ number, fields, unique, several: fields.map(() => false) }));
    const marks = ["_write.open", "_write.removed"].map((mark) => ({ key: { [mark]: 1 as const }, sparse: true }));
    const orders = this.#indexes.filter(({ unique }) => !unique).map(({ fields }) => ({ key: keyOf([...fields, "_id"]) }));
    await this.#host
      .ask(() => this.#rows.createIndexes([...marks, ...orders]))
      .catch((error) => {
        if (!(error instanceof MongoServerError)) throw error;
        refused(error);
      });
    for (const { fields, unique } of this.#indexes) {
      if (unique) await this.#host.ask(() => this.#rows.createIndex(keyOf(fields), { unique: true, sparse: true }));
    }
  }

  async write<T>(work: () => T, key?: RequestKey): Promise<T> {
    const draft = new Draft();
    let leave = () => {};
    try {
      for (let tries = 1; ; tries++) {
        const outcome = await this.#run(draft, work, WHOLE, tries === 1);
        const before = key && recalled(draft.rows(), key, Date.now());
        if (before) return JSON.parse(before.answer);
        if ("error" in outcome) throw outcome.error;
        if (key) draft.remember(key, outcome.answer, Date.now());
        const lost = await this.#store(draft.staged);
        if (!lost) return outcome.answer;
        if (tries === MAX_TRIES) throw new Conflict(lost.id, (lost.before?.version ?? 0) + 1);
        leave();
        leave = await this.#turn(lost.id);
        if (tries > 1) await delay(Math.random() * 2 ** Math.min(tries, 6)); // those in other processes are in no queue of ours
        await this.#reload(draft, lost);
      }
    } finally {
      leave();
    }
  }

  async consult<T>(work: () => T): Promise<T> {
    const draft = new Draft();
    const outcome = await this.#run(draft, work, WITHOUT_KEYS, false);
    if ("error" in outcome) throw outcome.error;
    return outcome.answer;
  }

  look(id: string): Looked | undefined {
    return this.#within().look(id);
  }

  get(id: string): Stored | undefined {
    return this.#within().get(id);
  }

  put(document: Document, change: Change): Stored {
    return this.#within().put(document, change);
  }

  remove(id: string, change: Change): Stored | undefined {
    return this.#within().remove(id, change);
  }

  forget(id: string): void {
    this.#within().forgetAnswers(id);
  }

  hold(id: string): void {
    this.#within().hold(id);
  }

  async find({ query = {}, sort, limit, offset = 0 }: Find = {}): Promise<Stored[]> {
    if (limit === 0) return [];
    const filter = all([toMongo(parse(query)), LIVE]);
    const found = await this.#host.ask(() =>
      this.#rows
        .find(filter, { projection: WITHOUT_WRITE, sort: sortOf(parseSort(sort)), skip: offset, limit: limit ?? MAX_FOUND + 1 })
        .toArray(),
    );
    if (limit === undefined && found.length > MAX_FOUND) {
      throw new Rejected("QUERY_TOO_WIDE", `More than ${MAX_FOUND} documents match`, 400);
    }
    return found.map(documentOf);
  }

  async count(query: Query = {}): Promise<number> {
    const filter = all([toMongo(parse(query)), LIVE]);
    return this.#host.ask(() => this.#rows.countDocuments(filter));
  }

  async page({ query = {}, sort, after, limit }: Paging): Promise<Page> {
    const filter = parse(query);
    const order = parseSort(sort);
    if (order.length > 1 && !planOf(filter, order, this.#indexes, true)) {
      throw new Rejected("QUERY_REFUSED", "No index has this order", 400);
    }
    const from = after ? [beyond(order, parsePlaces(after.key, order), after.id)] : [];
    const found = await this.#host.ask(() =>
      this.#rows
        .find(all([toMongo(filter), LIVE, ...from]), { projection: WITHOUT_WRITE, sort: sortOf(order), limit: limit + 1 })
        .toArray(),
    );
    const documents = found.slice(0, limit).map(documentOf);
    const places = documents.map((document) => placesOf(document, order));
    if (found.length <= limit) return { documents };
    return { documents, next: { key: JSON.stringify(places.at(-1)), id: documents.at(-1)!._id } };
  }

  record(after: string, limit: number): Promise<Part<DocumentEvent>> {
    return this.outbox.record(after, limit);
  }

  async removed(after: string, limit: number): Promise<Document[]> {
    const filter = { "_write.removed": { $gt: 0 }, _id: { $gt: after } };
    const options = { projection: WITHOUT_WRITE, sort: { _id: 1 }, limit } as const;
    return (await this.#host.ask(() => this.#rows.find(filter, options).toArray())).map(documentOf);
  }

  #within(): Draft {
    if (this.#draft) return this.#draft;
    throw new Error("Documents are looked at inside of `write` and `consult` only");
  }

  /** Runs `work` until it knows all that it asks for; where storing is to find out that something is new, once is enough. */
  async #run<T>(draft: Draft, work: () => T, projection: object, guess: boolean): Promise<Outcome<T>> {
    for (let runs = 1; ; runs++) {
      const outcome = this.#attempt(draft, work);
      const { missing } = draft;
      if (missing.length === 0 || (guess && "answer" in outcome && draft.guessed)) return outcome;
      if (runs === MAX_RUNS) throw new Error(`A write asks for other documents each time that it runs: ${missing[0]}`);
      draft.know(missing, await this.#load(missing, projection));
    }
  }

  #attempt<T>(draft: Draft, work: () => T): Outcome<T> {
    const outer = this.#draft;
    this.#draft = draft;
    draft.begin();
    try {
      return { answer: work() };
    } catch (error) {
      return { error };
    } finally {
      this.#draft = outer;
    }
  }

  #load(ids: readonly string[], projection: object): Promise<DocumentRow[]> {
    const filter = ids.length === 1 ? { _id: ids[0]! } : { _id: { $in: [...ids] } };
    return this.#host.ask(() => this.#rows.find(filter, { projection }).toArray());
  }

  /** Stores all in order. Answers with the one that somebody else was faster with: nothing was stored from there on. */
  async #store(staged: readonly Staged[]): Promise<Staged | undefined> {
    if (staged.length === 0) return undefined;
    let stored = staged;
    const sent = this.#host.up;
    try {
      await this.#host.ask(() => this.#rows.bulkWrite(staged.map(guarded), { ordered: true }));
    } catch (error) {
      const refused = refusedAt(error);
      if (refused !== undefined) stored = staged.slice(0, refused);
      else if (!sent || !(error instanceof Unavailable) || !(await this.#hasAll(staged))) throw error;
    }
    const written = stored.flatMap(({ after }) => after ?? []);
    this.outbox.tell(written);
    if (written.some(({ _write }) => _write.removed !== undefined)) void sweep(this.#host, this.#rows).catch(() => {});
    return staged[stored.length];
  }

  /** After an answer was lost: whether all was stored all the same. It asks for half a second, as long as it takes to connect anew. */
  async #hasAll(staged: readonly Staged[]): Promise<boolean> {
    const ids = staged.map(({ id }) => id);
    let found: DocumentRow[] | undefined;
    for (let tries = 0; !found && tries < 5; tries++) {
      await delay(100);
      found = await this.#load(ids, { "_write.id": 1, "_write.held": 1 }).catch(() => undefined);
    }
    if (!found) return false;
    const byId = new Map(found.map((row) => [row._id, row._write]));
    return staged.every(({ id, after, held }) => {
      const write = byId.get(id);
      return after ? write?.id === after._write.id : write?.held === held;
    });
  }

  /** All that the work looked at, as it is now. Throws `VALUE_TAKEN` where it was no other writer of this document who was in the way. */
  async #reload(draft: Draft, lost: Staged): Promise<void> {
    const ids = draft.looked;
    draft.forget();
    draft.know(ids, await this.#load(ids, WHOLE));
    const now = draft.row(lost.id);
    if (now?.version !== lost.before?.version || now?._write.held !== lost.before?._write.held) return;
    const fields = (await this.#fieldsTaken(lost)).map(nameOf);
    throw new Rejected("VALUE_TAKEN", `Another one has this ${fields.join(" and ") || "value"}`, 409, { id: lost.id, fields });
  }

  /** The fields of the unique index in which another document has the values of this one; none where only a newer version of the room declares it. */
  async #fieldsTaken({ id, after }: Staged): Promise<readonly string[]> {
    for (const { fields, unique } of this.#indexes) {
      const values = fields.map((field) => [fieldOf(field), after?.[fieldOf(field)]] as const);
      if (!unique || values.some(([, value]) => value === undefined || value === null)) continue;
      const holder = { ...Object.fromEntries(values), _id: { $ne: id } };
      if (await this.#host.ask(() => this.#rows.findOne(holder, { projection: { _id: 1 } }))) return fields;
    }
    return [];
  }

  /** Those of this process that lost the same document come again one after another. Resolves with how to let the next one go. */
  async #turn(id: string): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#turns.get(id);
    this.#turns.set(id, promise);
    await before;
    return () => {
      if (this.#turns.get(id) === promise) this.#turns.delete(id);
      resolve();
    };
  }
}

const LIVE = { "_write.removed": null };

const keyOf = (fields: readonly string[]): Record<string, 1> => Object.fromEntries(fields.map((field) => [fieldOf(field), 1]));

/**
 * The document as it was seen, or none: where another one stands there, the upsert that follows is refused, as an `_id`
 * is there once, and with it all that is behind.
 */
const guarded = ({ id, before, after, held, keys }: Staged): AnyBulkWriteOperation<DocumentRow> => {
  const filter = { _id: id, version: before?.version ?? 0, "_write.held": before?._write.held ?? null };
  if (!after)
    return { updateOne: { filter, update: { $set: { "_write.held": held!, ...(keys && { "_write.keys": keys }) } }, upsert: true } };
  const { _id, ...replacement } = after;
  return { replaceOne: { filter, replacement: replacement as DocumentRow, upsert: true } };
};

/** Which write of an ordered list was refused because something has its `_id`, or another unique value, already. */
const refusedAt = (error: unknown): number | undefined => {
  if (!(error instanceof MongoBulkWriteError) || !isDuplicate(error)) return undefined;
  const [first] = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  return first?.code === error.code ? first?.index : undefined;
};
