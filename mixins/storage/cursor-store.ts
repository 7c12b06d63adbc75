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

/** What becomes of the parked streams in the course of one step. */
export interface Parking {
  park: readonly Parked[];
  unpark: readonly string[];
}

/** How far a follower has come in its sources' logs, and what it left behind. */
export interface CursorStore {
  cursor(follower: string, source: string): Promise<number>;
  /**
   * Moves the cursor, parks and frees streams and runs `write`, all in one transaction. False, and nothing done, where
   * the cursor does not stand at `from` any more: another process was here.
   */
  advance(follower: string, source: string, from: number, to: number, parking: Parking, write: () => void): Promise<boolean>;
  parked(follower: string, source?: string): Promise<Parked[]>;
  /** Sets one parked stream going again from `version`, with its attempts anew. False where it is not parked. */
  resume(follower: string, source: string, stream: string, version: number): Promise<boolean>;
  /** Forgets the follower altogether. */
  drop(follower: string): Promise<void>;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}
