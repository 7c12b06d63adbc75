/** One wrapped key, or a bundle of them; or the name of one that was destroyed, so that it never comes back. */
export interface KeyRow {
  /** Of a `kek` or an `index` key `<kind>~…`; there is no `~` in others. */
  readonly id: string;
  /** A `kek` wraps the others and is wrapped by the master key; `data` opens sealed fields, each key one document's; `index` makes a room's blind indexes. */
  readonly kind: "kek" | "data" | "index";
  /** Of which room's documents; empty for a `kek`. */
  readonly room: string;
  /** The id of the key that wraps it; empty where that is the master key, or nothing is left to be wrapped. */
  readonly by: string;
  /** Empty for a key that was destroyed. */
  readonly wrapped: string;
  readonly at: number;
  /** When it was destroyed, in milliseconds since the epoch. */
  readonly destroyed?: number;
}

/** What is to stand instead of `from`, if that is still there. */
export interface Rewrapping {
  readonly id: string;
  readonly from: string;
  readonly wrapped: string;
  readonly by: string;
}

/**
 * The wrapped keys of all rooms, in a place of their own: what copies the rooms' stores does not copy this one, or a destroyed key would
 * live on in each copy. What resolves is durable.
 */
export interface KeyStore {
  /** Adds what is not there. */
  add(rows: readonly KeyRow[]): Promise<void>;
  find(ids: readonly string[]): Promise<KeyRow[]>;
  /** By id. */
  ofKind(kind: "kek" | "index"): Promise<KeyRow[]>;
  /** Keys that this one wraps. */
  under(kek: string, limit: number): Promise<KeyRow[]>;
  /** Leaves nothing of what was there before. */
  rewrap(changes: readonly Rewrapping[]): Promise<void>;
  /** Destroyed at that time or later, at most `limit`. */
  destroyedSince(at: number, limit: number): Promise<KeyRow[]>;
  /** Takes away a `kek` that wraps nothing any more. */
  remove(kek: string): Promise<void>;
  count(kek: string): Promise<number>;
  /** All there are, by id. */
  all(after: string, limit: number): Promise<KeyRow[]>;
  close(): Promise<void>;
}
