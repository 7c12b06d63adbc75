import { randomUUIDv7 } from "node:crypto";
import type { Looked, RequestKey, Stored } from "./collection-store.ts";
import { type Change, following, ofTombstone } from "./document-log.ts";
import { remembering } from "./mongo.keys.ts";
import { type Answered, type DocumentRow, documentOf, lookedOf, type Origin, storable } from "./mongo.rows.ts";
import type { Document } from "./query.ts";

/**
 * One document of a write: how it was, and what is to stand there instead; or `held`, where it only must still be as it
 * was, and may get a caller's key: whoever has looked at it before must look again.
 */
export interface Staged {
  readonly id: string;
  readonly before?: DocumentRow;
  readonly after?: DocumentRow;
  readonly held?: string;
  readonly keys?: readonly Answered[];
}

/**
 * What a write, or a look, knows of the documents, and what it is about to store: no more than memory. What is asked for
 * and not known yet counts as not there and is noted down, so that one run finds all that is to be loaded, and nobody
 * can catch a signal that is none of his business; what such a run says is worth nothing but for `guessed`.
 */
export class Draft {
  readonly #known = new Map<string, DocumentRow | undefined>();
  #staged = new Map<string, Staged>();
  #looked = new Set<string>();
  #forgotten = new Set<string>();
  #missing = new Set<string>();

  /** The ids that the last run asked for. */
  get looked(): string[] {
    return [...this.#looked];
  }

  /** Those of them that it knew nothing of. */
  get missing(): string[] {
    return [...this.#missing];
  }

  /** Whether storing finds out all that is not known: the one document that it took for not there is the one that it creates. */
  get guessed(): boolean {
    const [id] = this.#missing;
    return this.#missing.size === 1 && this.#staged.size === 1 && this.#staged.get(id!)?.after !== undefined;
  }

  /** What is to be stored, in its order; nothing where documents are only held. */
  get staged(): Staged[] {
    const all = [...this.#staged.values()];
    return all.some(({ after, keys }) => after || keys) ? all : [];
  }

  /** The rows that the last run looked at, as they were. */
  *rows(): Generator<DocumentRow> {
    for (const id of this.#looked) {
      const row = this.#known.get(id);
      if (row) yield row;
    }
  }

  /** Before each run. */
  begin(): void {
    this.#staged = new Map();
    this.#looked = new Set();
    this.#forgotten = new Set();
    this.#missing = new Set();
  }

  /** These ids as they are now; those of which there is no row have no document. */
  know(ids: readonly string[], rows: readonly DocumentRow[]): void {
    for (const id of ids) this.#known.set(id, undefined);
    for (const row of rows) this.#known.set(row._id, row);
  }

  forget(): void {
    this.#known.clear();
  }

  forgetAnswers(id: string): void {
    this.#forgotten.add(id);
  }

  row(id: string): DocumentRow | undefined {
    return this.#known.get(id);
  }

  look(id: string): Looked | undefined {
    this.#looked.add(id);
    if (!this.#known.has(id)) this.#missing.add(id);
    const row = this.#staged.get(id)?.after ?? this.#known.get(id);
    return row && lookedOf(row);
  }

  get(id: string): Stored | undefined {
    const found = this.look(id);
    return found && !found.removed ? found.document : undefined;
  }

  put(document: Document, change: Change): Stored {
    return documentOf(this.#stage(document._id, document, change, {}));
  }

  remove(id: string, change: Change): Stored | undefined {
    const found = this.get(id);
    if (!found) return undefined;
    return documentOf(this.#stage(id, ofTombstone(found), change, { removed: change.at }));
  }

  hold(id: string): void {
    if (this.#staged.has(id)) return;
    this.look(id);
    this.#staged.set(id, { id, before: this.#known.get(id), held: randomUUIDv7() });
  }

  /** Puts a key and its answer into the last document that is to be stored; where nothing changes, into the last that was looked at. */
  remember(key: RequestKey, answer: unknown, now: number): void {
    const last = [...this.#staged.values()].findLast(({ after }) => after);
    if (last) {
      this.#staged.set(last.id, { ...last, after: remembering(last.after!, key, answer, now) });
      return;
    }
    const before = [...this.rows()].at(-1);
    if (!before) return;
    this.hold(before._id);
    const { keys } = remembering(before, key, answer, now)._write;
    this.#staged.set(before._id, { ...this.#staged.get(before._id)!, keys });
  }

  #stage(id: string, document: Document, change: Change, more: { removed?: number }): DocumentRow {
    const before = this.look(id);
    const held = this.#staged.get(id);
    const last = (held?.after ?? this.#known.get(id))?._write;
    const keys = this.#forgotten.has(id) ? undefined : last?.keys;
    const version = (before?.document.version ?? 0) + 1;
    const after = {
      ...(storable({ ...document, version }) as object),
      _write: { ...following(change, last && changeOf(last), version - 1), open: 1, ...more, ...(keys && { keys }) },
    } as DocumentRow;
    this.#staged.delete(id); // to the end: what is written last carries the key
    this.#staged.set(id, { id, before: this.#known.get(id), after });
    return after;
  }
}

const changeOf = ({ open, removed, held, keys, ...change }: Origin): Change => change;
