import type { DatabaseSync } from "node:sqlite";
import { Rejected } from "../core/errors.ts";
import { nameOf } from "./collection.writes.ts";
import type { IndexDeclaration } from "./collection-store.ts";
import type { Bounds, Index } from "./query.plan.ts";
import type { Document } from "./query.ts";
import { fieldKeys } from "./query.values.ts";
import type { SqliteFile } from "./sqlite.file.ts";

export interface Candidate {
  readonly key: string;
  readonly body: string;
}

const MAX_KEYS = 1_000;
const MISSING = "2";

/**
 * The indexes of a room's documents: an ordered table of keys, kept in the transaction that writes the document. They
 * are declared in the file, so that every process that writes keeps all of them, also those that only a newer version
 * of the room asks for; one that nobody asks for any more is kept, too.
 */
export class SqliteIndexes {
  readonly #all;
  readonly #add;
  readonly #remove;
  readonly #holder;
  readonly #several;
  readonly #up;
  readonly #down;
  readonly #known = new Map<string, Index>();

  constructor(file: SqliteFile) {
    const { db } = file;
    file.define(`
      CREATE TABLE IF NOT EXISTS collection_indexes (
        number INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE, is_unique INTEGER NOT NULL, several TEXT NOT NULL
      ) STRICT;
      CREATE TABLE IF NOT EXISTS collection_keys (
        number INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (number, key, id)
      ) STRICT, WITHOUT ROWID`);
    this.#all = db.prepare("SELECT number, fields, is_unique, several FROM collection_indexes");
    this.#add = db.prepare("INSERT OR IGNORE INTO collection_keys (number, key, id) VALUES (?, ?, ?)");
    this.#remove = db.prepare("DELETE FROM collection_keys WHERE number = ? AND key = ? AND id = ?");
    this.#holder = db.prepare("SELECT id FROM collection_keys WHERE number = ? AND key = ? AND id <> ? LIMIT 1");
    this.#several = db.prepare("UPDATE collection_indexes SET several = ? WHERE number = ?");
    const scan = "SELECT k.key, c.body FROM collection_keys k JOIN collection c ON c.id = k.id WHERE k.number = ?";
    this.#up = db.prepare(`${scan} AND (k.key, k.id) > (?, ?) AND k.key < ? ORDER BY k.key, k.id`);
    this.#down = db.prepare(`${scan} AND (k.key, k.id) < (?, ?) AND k.key >= ? ORDER BY k.key DESC, k.id DESC`);
  }

  /** As declared in the file now: some microseconds, and never out of date. */
  all(): Index[] {
    return this.#all.all().map((row) => {
      const text = `${row.number} ${row.fields} ${row.is_unique} ${row.several}`;
      const known = this.#known.get(text);
      if (known) return known;
      const [fields, several] = [JSON.parse(row.fields as string), JSON.parse(row.several as string)];
      const index = { number: row.number as number, fields, unique: row.is_unique === 1, several };
      this.#known.set(text, index);
      return index;
    });
  }

  /** Inside a write: takes up what is declared and not yet there, with the keys of the documents that are. */
  declare(db: DatabaseSync, declared: readonly IndexDeclaration[]): void {
    for (const { fields, unique = false } of declared) {
      const known = this.all().find((index) => index.fields.join() === fields.join());
      if (known && known.unique === unique) continue;
      if (known) db.prepare("UPDATE collection_indexes SET is_unique = ? WHERE number = ?").run(Number(unique), known.number);
      else {
        const several = JSON.stringify(fields.map(() => false));
        db.prepare("INSERT INTO collection_indexes (fields, is_unique, several) VALUES (?, ?, ?)").run(
          JSON.stringify(fields),
          Number(unique),
          several,
        );
      }
      const index = this.all().find((index) => index.fields.join() === fields.join())!;
      for (const { body } of db.prepare("SELECT body FROM collection WHERE removed IS NULL").iterate()) {
        this.#keep(index, undefined, JSON.parse(body as string));
      }
    }
  }

  /** Inside a write: moves a document's keys from what it was to what it is. Throws `VALUE_TAKEN` where another one has them. */
  keep(before: Document | undefined, after: Document | undefined): void {
    for (const index of this.all()) this.#keep(index, before, after);
  }

  /** What stands within the bounds, in the order of the keys; after `from` where a page goes on. */
  *scan({ number }: Index, { from, to }: Bounds, down: boolean, after?: { key: string; id: string }): Generator<Candidate> {
    const rows = down
      ? this.#down.iterate(number, after?.key ?? to, after?.id ?? "", from)
      : this.#up.iterate(number, after?.key ?? from, after?.id ?? "", to);
    for (const row of rows) yield row as unknown as Candidate;
  }

  #keep(index: Index, before: Document | undefined, after: Document | undefined): void {
    const id = (after ?? before)!._id;
    const old = before ? this.#keysOf(index, before) : [];
    const now = after ? this.#keysOf(index, after) : [];
    for (const key of old) if (!now.includes(key)) this.#remove.run(index.number, key, id);
    for (const key of now) {
      if (old.includes(key)) continue;
      if (index.unique && !key.startsWith(MISSING) && this.#holder.get(index.number, key, id)) {
        const fields = index.fields.map(nameOf);
        throw new Rejected("VALUE_TAKEN", `Another one has this ${fields.join(" and ")}`, 409, { id, fields });
      }
      this.#add.run(index.number, key, id);
    }
  }

  /** All combinations of the fields' keys, as each field may hold several values. */
  #keysOf(index: Index, document: Document): string[] {
    const keys = index.fields.map((field) => fieldKeys(document, field));
    const several = keys.map((k, i) => k.length > 1 || index.several[i]!);
    if (several.some((s, i) => s !== index.several[i])) this.#several.run(JSON.stringify(several), index.number);
    const combined = keys.reduce((all, field) => all.flatMap((prefix) => field.map((key) => prefix + key)), [""]);
    if (combined.length <= MAX_KEYS) return combined;
    throw new Rejected("TOO_MANY_KEYS", `A document may stand ${MAX_KEYS} times in an index`);
  }
}
