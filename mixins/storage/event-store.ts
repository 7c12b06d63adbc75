import type { DomainEvent } from "../core/model.ts";
import type { Past } from "./document-log.ts";

/** What one command did: its events are stored together or not at all. */
export interface Commit<E extends DomainEvent = DomainEvent> {
  /** Unique: a store that sees the same commit again knows that it has it, whatever became of the first answer. */
  readonly id: string;
  readonly stream: string;
  /** The stream's version once this commit is in it; the first is 1. */
  readonly version: number;
  /** The id of the commit that it was decided on; the first has none. */
  readonly after?: string;
  readonly events: readonly E[];
  /** Caller and idempotency key: what came once under it never comes again. With a digest of what was asked. */
  readonly once?: string;
  readonly digest?: string;
  /** Who asked, in the course of which request, and which event or step led to it. */
  readonly by?: string;
  readonly request?: string;
  readonly cause?: string;
  /** Under which login, and from which address, where somebody asked for it. */
  readonly session?: string;
  readonly from?: string;
  /** When it was decided, and when it happened in the user's world, in milliseconds since the epoch. */
  readonly at: number;
  readonly occurredAt: number;
}

/** A commit with its place in the order of the room's log; places grow, and need not be dense. */
export type Logged<E extends DomainEvent = DomainEvent> = Commit<E> & {
  readonly position: number;
  /** Of a collection: the commits before it that it has covered. */
  readonly past?: readonly Past[];
};

/** About how many bytes of commits are read at once: what a few of the largest requests store. */
export const PAGE_SIZE = 4_000_000;

/** Some commits, at least one where there are any. `more`: it was full, of commits or of bytes, and what follows is to be asked for; a page may be short and not the last. */
export type Page<E extends DomainEvent = DomainEvent> = Logged<E>[] & { more?: true };

/** A part of a record or a log, and where to go on: the same place again where there is nothing more. */
export interface Part<E extends DomainEvent = DomainEvent> {
  readonly commits: Page<E>;
  readonly next: string;
}

/** A state as it was at a version, and the last commit's id and time, so that what follows can be decided on it. */
export interface Snapshot<S = unknown> {
  readonly stream: string;
  readonly version: number;
  readonly last: string;
  readonly occurredAt: number;
  /** The number of the model that folded it. */
  readonly model: number;
  readonly state: S;
}

export interface EventStore {
  /**
   * Resolves once the commit is durable, also where it already was. Throws `Conflict` where its version is taken or
   * the commit before it is not the one that it was decided on (commits may be sent before the last one has answered),
   * and `Unavailable` where it cannot tell: the commit may be there all the same.
   */
  append(commit: Commit): Promise<void>;
  /** The stream's commits after `version`, oldest first, at most `limit`, and no more of them than about PAGE_SIZE. */
  read<E extends DomainEvent>(stream: string, version?: number, limit?: number): Promise<Page<E>>;
  /** The stream's commit that came under this caller and key, however long ago. */
  recall(stream: string, once: string): Promise<Commit | undefined>;
  /**
   * All commits of the room from a place on, about `limit` or PAGE_SIZE at once, each stream's in their order; "" is where it begins.
   * What is appended meanwhile may or may not be among them.
   */
  record(after: string, limit: number): Promise<Part>;
  snapshot<S>(stream: string): Promise<Snapshot<S> | undefined>;
  /** Keeps a snapshot in place of an older one. It may be lost: it only saves reading. */
  keep(snapshot: Snapshot): Promise<void>;
  close(): Promise<void>;
}

/** All commits of a stream that is known to be small, as a saga's is. */
export const readWhole = async <E extends DomainEvent>(store: Pick<EventStore, "read">, stream: string): Promise<Logged<E>[]> => {
  const commits = await store.read<E>(stream);
  for (let page = commits; page.more; ) {
    page = await store.read<E>(stream, page.at(-1)!.version);
    commits.push(...page);
  }
  return [...commits];
};
