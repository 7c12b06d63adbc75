import type { Logged } from "./event-store.ts";

/** A record whose commits are carried to others by a bus: what was stored is told of, and marked once it is on its way. */
export interface Outbox {
  /** Called with what was just stored here, in the order of each stream. */
  onCommitted?: (commits: readonly Logged[]) => void;
  /** Commits from before a moment that carry no mark yet, about `limit`. That one is marked already does no harm: a bus may bring it twice. */
  unpublished(before: number, limit: number): Promise<Logged[]>;
  /** Marks them: they are on the bus. */
  published(commits: readonly Logged[]): Promise<void>;
}
