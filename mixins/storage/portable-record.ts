import type { AuditRow } from "./audit-store.ts";
import type { Parked } from "./cursor-store.ts";
import type { Change } from "./document-log.ts";
import type { Commit } from "./event-store.ts";
import type { Document } from "./query.ts";

/** A document or its tombstone, with the write that made it. */
export interface PortableDocument {
  readonly document: Document & { version: number };
  readonly change: Change;
  /** When it was removed: then the document is `{ _id, version }`. */
  readonly removed?: number;
}

/** What was answered under a caller's key, as JSON. */
export interface PortableKey {
  readonly once: string;
  readonly digest?: string;
  readonly answer: string;
  readonly at: number;
  /** One of the documents that the request was about, where the answer tells. */
  readonly document?: string;
}

/** The version that a follower has reached in one stream of a room that it follows. */
export interface PortableReach {
  readonly follower: string;
  readonly source: string;
  readonly stream: string;
  readonly version: number;
}

/** Entries of the audit trail that were stored together: their last one carries the signature. */
export interface PortableAudit {
  readonly rows: readonly AuditRow[];
}

export type PortableParked = Parked & { readonly follower: string };

/** What each section of a room's record is made of. */
export interface Entries {
  /** Of followers that make calls: what they made must not be made again. Views are made anew, so theirs stay behind. */
  reached: PortableReach;
  /** Streams that such followers could not take in, dead letters among them. */
  parked: PortableParked;
  /** Behind how far its followers are: it never lacks what they have written. */
  audit: PortableAudit;
  saga_commits: Commit;
  commits: Commit;
  documents: PortableDocument;
  keys: PortableKey;
}

export type Section = keyof Entries;
export type Entry = Entries[Section];

/**
 * In the order in which a running system is read: how far followers are before what they follow, so that it is never
 * further than the record; documents last, for what refers to them must find them.
 */
export const SECTIONS = [
  "reached",
  "parked",
  "audit",
  "saga_commits",
  "commits",
  "documents",
  "keys",
] as const satisfies readonly Section[];

/** Those that are the same, entry by entry, wherever they are kept; where a follower is, and keys, are kept differently. */
export const PROVEN: readonly Section[] = ["parked", "audit", "saga_commits", "commits", "documents"];

/** A part of a section, and where to go on: the same place again at its end. */
export interface Slice<S extends Section = Section> {
  readonly entries: Entries[S][];
  readonly next: string;
}

/**
 * All that a system cannot make anew, in one of the forms in which it is kept: files of SQLite, databases of MongoDB,
 * a backup. Events are as they were stored, in the version that they had. No views, snapshots and leases.
 */
export interface PortableRecord {
  /** Where it is, for people, and without a password. */
  readonly name: string;
  /** Throws `Refused` where it is in use. Until it is closed nobody should begin to use it. */
  open(): Promise<void>;
  rooms(): Promise<string[]>;
  /** Entries after a place, about `limit`; "" is where a section begins. The commits of each stream stand in their order. */
  read<S extends Section>(room: string, section: S, after: string, limit: number): Promise<Slice<S>>;
  close(): Promise<void>;
}

/** What takes another's entries. */
export interface Receiver {
  /** How far a section has come. */
  place(room: string, section: Section): Promise<string>;
  /** Stores the entries, which may be there already, and then that the section has come to `next`. */
  write<S extends Section>(room: string, section: S, entries: readonly Entries[S][], next: string): Promise<void>;
  /** Puts together what only the whole tells. */
  settle(): Promise<void>;
}

/** A system that is filled from another one. */
export interface PortableTarget extends PortableRecord, Receiver {
  /** Marks it as being filled from there: no node starts on it. Throws `Refused` where it has data of its own, or of another origin. */
  begin(from: string): Promise<void>;
  /** Takes the mark away. */
  finish(): Promise<void>;
}

/** Followers that only fill views; all others make calls. */
export const isViewer = (follower: string): boolean => follower.startsWith("view/");
