import { isDeepStrictEqual } from "node:util";
import { Unavailable } from "./core/errors.ts";
import { freeze } from "./core/freeze.ts";
import type { Stored } from "./storage/collection-store.ts";
import type { Document, Query } from "./storage/query.ts";
import { blindIndex, type DataKey, ERASED, isSealed, keyIdOf, open, type Sealed, seal } from "./trust/sealed.ts";
import type { Vault } from "./trust/vault.ts";

type Fields = Record<string, unknown>;

/** What a room says of its sealed fields. */
export interface SealedFields {
  readonly sealed: readonly string[];
  /** Those of them that lists can be filtered by, each with the one form in which its values are compared. */
  readonly exact: Readonly<Record<string, (value: string) => string>>;
}

/** Under this name a document keeps which key is its own, also while nothing is sealed by it. */
const KEY = "_key";
const MAX_RUNS = 20;
/** What a run goes on with that lacks a key: nothing of it is stored. */
const NO_KEY: DataKey = { id: "none", key: Buffer.alloc(32) };

/** What a write found out that it needs. */
class Run {
  /** New keys that nothing is sealed by. */
  spares: DataKey[] = [];
  /** Which of them a document took, in whichever run: it may have been stored with that, and no other document may have the same. */
  readonly taken = new Map<string, DataKey>();
  missing = new Set<string>();
  short = 0;
  index = false;

  begin(): void {
    this.missing = new Set();
    this.short = 0;
    this.index = false;
  }

  get lacks(): boolean {
    return this.index || this.missing.size > 0 || this.short > 0;
  }

  keyFor(id: string): DataKey {
    const key = this.taken.get(id) ?? this.spares.pop();
    if (key) this.taken.set(id, key);
    else this.short++;
    return key ?? NO_KEY;
  }
}

class KeysWanted extends Error {}

/** Why a room cannot be declared like this; undefined where it can. */
export const faultOf = ({ sealed, exact }: SealedFields, sorts: readonly string[], filters: readonly string[]): string | undefined => {
  const sorted = sealed.find((name) => sorts.includes(name));
  if (sorted)
    return `Nothing is sorted or searched by ${sorted}, for it is sealed: what is sealed can be looked for exactly, and no other way`;
  const filtered = sealed.find((name) => filters.includes(name) && !exact[name]);
  return filtered && `A filter by ${filtered}, which is sealed, needs the one form of its values: say it in exact`;
};

/**
 * The sealed fields of a room's documents. They are sealed before a document reaches the store and opened when an action answers; between
 * the two nobody has more than what is sealed. A write is synchronous and may run again: what it lacks of keys it notes down and goes on without,
 * then they are asked for, and it runs anew.
 */
export class Sealing {
  readonly fields: SealedFields;
  readonly vault: Vault;
  readonly #room: string;
  /** What was read of documents that are kept in memory; it is forgotten with them, and counts only while their key does. */
  readonly #read = new WeakMap<Sealed, { key: Buffer; place: string; value: unknown }>();
  #run: Run | undefined;

  constructor(room: string, fields: SealedFields, vault: Vault) {
    this.#room = room;
    this.fields = fields;
    this.vault = vault;
  }

  /** `store` with a work that has all keys it asks for. `fresh`: how many it will most likely need for new documents. */
  async write<T>(work: () => T, fresh: number, store: (work: () => T) => Promise<T>): Promise<T> {
    const run = new Run();
    try {
      if (fresh > 0) await this.#prepare(run, fresh);
      for (let runs = 1; ; runs++) {
        try {
          return await store(() => this.#attempt(run, work));
        } catch (error) {
          if (!(error instanceof KeysWanted) || runs === MAX_RUNS) throw error;
        }
        await this.#prepare(run, run.short);
      }
    } finally {
      this.vault.giveBack(run.spares);
    }
  }

  /** Asks for keys that documents need to be written, where that is known beforehand: cheaper than a write that runs in vain. */
  async expect(documents: readonly (Document | undefined)[]): Promise<void> {
    const unknown = documents
      .flatMap((document) => (document?.[KEY] ? [document[KEY] as string] : []))
      .filter((id) => this.vault.known(id) === undefined);
    if (unknown.length > 0) await this.vault.learn(unknown);
  }

  async #prepare(run: Run, spares: number): Promise<void> {
    if (run.index) await this.vault.learnIndex();
    if (run.missing.size > 0) await this.vault.learn(run.missing);
    if (spares > 0) run.spares.push(...(await this.vault.reserve(spares)));
  }

  /** What a run says that lacks something is worth nothing, an error neither. */
  #attempt<T>(run: Run, work: () => T): T {
    const outer = this.#run;
    this.#run = run;
    run.begin();
    let outcome: { answer: T } | { error: unknown };
    try {
      outcome = { answer: work() };
    } catch (error) {
      outcome = { error };
    } finally {
      this.#run = outer;
    }
    if (run.lacks) throw new KeysWanted();
    if ("error" in outcome) throw outcome.error;
    return outcome.answer;
  }

  /** Of a document what stays sealed as it was: neither the room's rules nor its checks are to look at it. */
  untouched(document: Fields, before: Fields | undefined): Fields {
    const names = this.fields.sealed.filter((name) => isSealed(document[name]) && document[name] === before?.[name]);
    return Object.fromEntries(names.map((name) => [name, document[name]]));
  }

  /** Inside a write: the document with its sealed fields sealed, and what they are found by. What says the same as before stays as it was. */
  seal(document: Document, before: Fields | undefined): Document {
    const { sealed, exact } = this.fields;
    const result: Document = { ...document };
    const here = sealed.filter((name) => name in document);
    for (const name of Object.keys(exact)) if (!(name in document)) delete (result as Fields)[`_${name}`];
    const plain = here.filter((name) => !isStill(document[name], before?.[name]));
    if (here.every((name) => document[name] === before?.[name] && keyless(document[name]))) return result;
    const key = this.#keyFor(result, plain.length > 0);
    for (const name of plain) {
      const value = document[name];
      const old = before?.[name];
      const same = isSealed(old) && isDeepStrictEqual(this.#open(String(document._id), name, old), value);
      (result as Fields)[name] = same ? old : this.#seal(key!, document._id, name, value);
      if (exact[name]) (result as Fields)[`_${name}`] = this.#indexOf(name, value as string);
    }
    return result;
  }

  /** Inside a write: a document with its sealed fields open; without those that nothing opens any more. */
  plain(document: Fields & { _id: string }): Fields {
    return this.#opened(document, document._id, undefined);
  }

  /** Answers as their callers see them: null where nothing opens a field any more. Where nothing is sealed they stay the same objects. */
  shown<T extends object>(answers: readonly T[]): readonly T[] | Promise<readonly T[]> {
    const sealed = answers.filter((answer) => this.#has(answer as Fields)) as Fields[];
    if (sealed.length === 0) return answers;
    const shown = () =>
      answers.map(
        (answer) =>
          (this.#has(answer as Fields) ? this.#opened(answer as Fields, (answer as unknown as { id: string }).id, null) : answer) as T,
      );
    return this.#unknown(sealed).length === 0 ? shown() : this.#learned(sealed, shown);
  }

  async #learned<T>(sealed: readonly Fields[], then: () => T): Promise<T> {
    for (let runs = 1; runs < MAX_RUNS; runs++) {
      const unknown = this.#unknown(sealed);
      if (unknown.length === 0) break;
      await this.vault.learn(unknown);
    }
    return then();
  }

  /** The query that finds documents by the exact value of a sealed field. */
  async match(name: string, value: string): Promise<Query> {
    await this.vault.learnIndex();
    return { [`_${name}`]: this.#indexOf(name, value) };
  }

  /** A document of which nothing sealed is left, nor what it was found by. */
  erased(document: Stored): Document {
    const result: Fields = { ...document };
    for (const name of this.fields.sealed) if (name in result) result[name] = ERASED;
    for (const name of [KEY, "_salted", ...Object.keys(this.fields.exact).map((field) => `_${field}`)]) delete result[name];
    return result as Document;
  }

  /** Whether something that should be sealed stands there open. */
  lacksSeal(document: Fields): boolean {
    return this.fields.sealed.some((name) => name in document && !isSealed(document[name]));
  }

  /** All keys by which something of the document is sealed. */
  keysOf(document: Fields): string[] {
    const ids = this.fields.sealed.flatMap((name) => (isSealed(document[name]) ? (keyIdOf(document[name] as Sealed) ?? []) : []));
    return [...new Set([...ids, ...(document[KEY] ? [document[KEY] as string] : [])])];
  }

  #has(fields: Fields): boolean {
    return this.fields.sealed.some((name) => isSealed(fields[name]));
  }

  #unknown(documents: readonly Fields[]): string[] {
    return documents.flatMap((fields) => this.keysOf(fields)).filter((id) => this.vault.known(id) === undefined);
  }

  #opened(fields: Fields, id: string, nothing: null | undefined): Fields {
    const result: Fields = { ...fields };
    for (const name of this.fields.sealed) {
      const value = fields[name];
      if (!isSealed(value)) continue;
      const opened = this.#open(id, name, value) ?? nothing;
      if (opened === undefined) delete result[name];
      else result[name] = opened;
    }
    return result;
  }

  #open(id: string, name: string, value: Sealed): unknown {
    const keyId = keyIdOf(value);
    const key = keyId === undefined ? null : this.vault.known(keyId);
    if (key === undefined) this.#lack(keyId!);
    if (!key) return undefined;
    const [known, place] = [this.#read.get(value), this.#place(id, name)];
    return known?.key === key && known.place === place ? known.value : this.#remember(key, place, value, open(key, place, value));
  }

  #seal(key: DataKey, id: string, name: string, value: unknown): Sealed {
    const place = this.#place(id, name);
    const sealed = seal(key, place, value);
    this.#remember(key.key, place, sealed, value);
    return sealed;
  }

  #remember(key: Buffer, place: string, sealed: Sealed, value: unknown): unknown {
    this.#read.set(sealed, { key, place, value: freeze(value) });
    return value;
  }

  /** The document's own key; a new one where it has none, or that is no more and there is something to be sealed. */
  #keyFor(document: Document, wanted: boolean): DataKey | undefined {
    const id = document[KEY] as string | undefined;
    const key = id === undefined ? null : this.vault.known(id);
    if (key) return { id: id!, key };
    if (key === undefined) {
      this.#lack(id!);
      return NO_KEY;
    }
    if (!wanted) return undefined;
    const fresh = this.#run!.keyFor(document._id);
    (document as Fields)[KEY] = fresh.id;
    return fresh;
  }

  #indexOf(name: string, value: string): string {
    const key = this.vault.index;
    if (key) return blindIndex(key, name, this.fields.exact[name]!(value));
    if (this.#run) this.#run.index = true;
    return "";
  }

  /** What is not known must never pass for what is no more. */
  #lack(id: string): void {
    if (!this.#run) throw new Unavailable("VAULT_UNAVAILABLE", "The keys of sealed fields are not to be had just now");
    this.#run.missing.add(id);
  }

  #place(id: string, name: string): string {
    return `${this.#room}/${id}/${name}`;
  }
}

const isStill = (value: unknown, before: unknown): boolean => isSealed(value) && value === before;
const keyless = (value: unknown): boolean => isSealed(value) && keyIdOf(value) === undefined;
