/** What a load was begun on. What was made under a ticket is kept only if nothing has been invalidated since. */
export interface Ticket {
  /** Of the topic: another one after each invalidation, and where the cache has lost it. */
  readonly edition: string;
  /** Of whoever was told to load, so that he alone gives that back. */
  readonly token: string;
}

export type Claim =
  /** The answer, as JSON, and for how many milliseconds more it is one. */
  | { readonly kind: "kept"; readonly json: string; readonly left: number }
  /** Nobody has it, and nobody else makes it: load, then `put` or `release`. */
  | { readonly kind: "load"; readonly ticket: Ticket }
  /** Somebody makes it: ask again in a moment, or load all the same. */
  | { readonly kind: "wait"; readonly ticket: Ticket }
  /** It is too large to be shared: load. */
  | { readonly kind: "alone" };

/**
 * Answers that all nodes of a system share, as JSON, each under a topic (what it was made from) and a key. It may forget
 * any of them at any time, and nothing is ever refused: while it cannot be asked, `claim` answers undefined and the rest
 * does nothing. No call takes longer than a quarter of a second, and the first that does makes those after it fail at once.
 */
export interface SharedCache {
  claim(topic: string, key: string): Promise<Claim | undefined>;
  /** Keeps an answer for `left` milliseconds, unless its topic was invalidated since the ticket was given, or a younger one is there. */
  put(topic: string, key: string, ticket: Ticket, json: string, left: number): Promise<boolean>;
  /** Nothing comes of the load: whoever waits may do it. */
  release(topic: string, key: string, ticket: Ticket): Promise<void>;
  /** What the topic's answers were made from has changed. Once this has resolved no node is given one that was made before, nor is one taken that is being made. */
  invalidate(topic: string): Promise<void>;
  /** Hears which topics other nodes have invalidated; undefined where that may have been any. Returns how to stop. */
  listen(hear: (topic: string | undefined) => void): () => void;
  close(): void;
}
