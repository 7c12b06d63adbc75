/** A stream that a follower could not take in: what stands at `version` failed, and what comes after it waits behind. */
export interface Parked {
  readonly source: string;
  readonly stream: string;
  readonly version: number;
  readonly attempts: number;
  /** When it is tried again; none once it is a dead letter, which waits for somebody. */
  readonly nextAt?: number;
  readonly type: string;
  readonly error: string;
  readonly stack?: string;
  /** When it failed last, in milliseconds since the epoch. */
  readonly at: number;
}

/** What becomes of the streams in the course of one step. */
export interface Step {
  readonly park: readonly Parked[];
  /** Streams that are free again, and the version that each was known to wait at: where it waits at another by now, somebody else parked it. */
  readonly unpark: readonly { readonly stream: string; readonly version: number }[];
  /** The versions that streams have reached, where the store keeps them. */
  readonly reached?: ReadonlyMap<string, number>;
}

/** How far a follower has come in its sources' logs, and what it left behind. */
export interface CursorStore {
  /** Where the follower stands in the source's log; "" before its first step. */
  cursor(follower: string, source: string): Promise<string>;
  /**
   * Moves the cursor, parks and frees streams and runs `write`: in one transaction, or where a store has none in the one
   * order in which nothing is lost when it is cut off (what is written first is then written again). False where the cursor does
   * not stand at `from` any more: another process was here.
   */
  advance(follower: string, source: string, from: string, to: string, step: Step, write: () => void | Promise<void>): Promise<boolean>;
  /**
   * The versions that the follower has reached in these streams; those it never met are missing. Only where a log may bring
   * a commit twice, or out of its stream's order.
   */
  reached?(follower: string, source: string, streams: readonly string[]): Promise<Map<string, number>>;
  parked(follower: string, source?: string): Promise<Parked[]>;
  /** Sets one parked stream going again from `version`, with its attempts anew. False where it is not parked. */
  resume(follower: string, source: string, stream: string, version: number): Promise<boolean>;
  /**
   * Sets the follower back: it takes in again what these streams have from these versions on. `first` is the position of the
   * first of those commits, where the log has positions. What is parked waits from there on.
   */
  rewind(follower: string, source: string, first: number, versions: ReadonlyMap<string, number>): Promise<void>;
  /** Forgets the follower altogether. */
  drop(follower: string): Promise<void>;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}
