import type { Service, ServiceBroker } from "moleculer";
import type { Change, DocumentEvent } from "./document-log.ts";
import type { Part } from "./event-store.ts";
import type { Outbox } from "./outbox.ts";
import type { Document, Query } from "./query.ts";

export type Stored = Document & { version: number };

/** A document, or its tombstone (`{ _id, version }`, `removed`). */
export interface Looked {
  readonly document: Stored;
  readonly removed: boolean;
  /** When its last change happened in the user's world. */
  readonly occurredAt: number;
}

/** What a room declares; the order of the fields counts. `unique`: no two documents share it, where it is not missing. */
export interface IndexDeclaration {
  readonly fields: readonly string[];
  readonly unique?: boolean;
}

export interface Find {
  query?: Query;
  /** `name`, `-name`; by id where nothing is said. */
  sort?: readonly string[];
  limit?: number;
  offset?: number;
}

/** Where a page goes on: the key under which its last document stands in this order, and its id. */
export interface Cursor {
  key: string;
  id: string;
}

export interface Paging {
  query?: Query;
  sort?: readonly string[];
  after?: Cursor;
  limit: number;
}

export interface Page {
  documents: Stored[];
  /** Absent at the end. */
  next?: Cursor;
}

/** Under what a request is known when it comes again: its caller and key, and a digest of what was asked. */
export interface RequestKey {
  readonly once: string;
  readonly digest?: string;
}

/** What changes whenever something is written, and is cheap to ask: what is made of documents may be kept as long as it stays. */
export interface Stamps {
  /** Of one document; 0 where there never was one. */
  position(id: string): number;
  /** Of the whole collection. */
  last(): number;
}

/** What is in documents when a `write` or a `consult` looks at them; only a write may change them. */
export interface Documents {
  look(id: string): Looked | undefined;
  /** The document where there is one, and no tombstone. */
  get(id: string): Stored | undefined;
  /** Stores the document with its change, as its next version. The caller has decided that it may. */
  put(document: Document, change: Change): Stored;
  /** Leaves a tombstone, with the next version. Answers with it. */
  remove(id: string, change: Change): Stored | undefined;
  /** Forgets what was answered about this document under callers' keys. Before its `put`. */
  forget(id: string): void;
  /**
   * Makes the write depend on a document that it may not change: it is stored only if that one is still as it was looked
   * at. Call it where two writes, each right alone, could together be wrong (two doubles merged into each other).
   */
  hold(id: string): void;
}

/** The documents of one room. Every write raises its document's version and carries its event. */
export interface CollectionStore extends Documents {
  declare(indexes: readonly IndexDeclaration[]): Promise<void>;
  /**
   * Runs `work` as one write, and resolves with its answer when that is durable. `work` looks and changes by the methods
   * of `Documents`; it must not await and may run again, on other documents than before; what it throws undoes what it
   * wrote. Under a key that came before, the answer is the one of that time; another request under it is refused
   * (`KEY_REUSED`). Throws `Unavailable` where the store cannot say that it has it: it may be there all the same.
   *
   * On SQLite all that `work` writes is stored together. On MongoDB each document is stored by itself, in the order of
   * `put`: what was cut off between two of them is completed when the same is asked again, so write first what the
   * others refer to. There a key is known by the documents that the request is about, and lives as long as they keep it.
   */
  write<T>(work: () => T, key?: RequestKey): Promise<T>;
  /** What was overwritten or forgotten stands in none of the store's files any more, as far as that is up to us. */
  purge?(): void;
  /** Runs `work` on documents as they are now. It must not await, may run again, and changes nothing. At once on SQLite. */
  consult<T>(work: () => T): T | Promise<T>;
  /** All that match, in order. Without a limit there may be 10,000 at most, else it throws `QUERY_TOO_WIDE`. */
  find(find?: Find): Stored[] | Promise<Stored[]>;
  count(query?: Query): number | Promise<number>;
  /** The next documents in an order that was declared, else it throws `QUERY_REFUSED`. It may answer with fewer than `limit`, and go on. */
  page(paging: Paging): Page | Promise<Page>;
  /** Every document once, as it is now or as a tombstone, after a place in the record (`""`: from the beginning). */
  record(after: string, limit: number): Promise<Part<DocumentEvent>>;
  /** Tombstones by id, at most `limit` after this one. */
  removed(after: string, limit: number): Promise<Document[]>;
  /** Where stamps are cheap. */
  readonly stamps?: Stamps;
  /** Where what is stored still has to be published. */
  readonly outbox?: Outbox;
}

/** moleculer-db's adapter, as far as our rooms use it. */
export interface CollectionAdapter {
  documents: CollectionStore;
  init(broker: ServiceBroker, service: Service): void;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}
