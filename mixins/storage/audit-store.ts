/** One entry as it stands in the trail: the `n`th of its day. */
export interface AuditRow {
  readonly day: string;
  readonly n: number;
  /** What is said, as JSON that begins with day and number: hashed as it stands here. */
  readonly body: string;
  /** The chain's value at the entry before, and at this one. */
  readonly prev: string;
  readonly chain: string;
  /** On the last entry of those that were stored together: who vouches for them, as JSON. */
  readonly seal?: string;
  /** What is wrong with how the entries from this one on are stored, where the store can tell (`rows`). */
  readonly misfiled?: string;
}

/** An entry that has no place yet. `id` is the commit's, or the report's: what came once never comes again. */
export interface Draft {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** Gives drafts their places behind the last entry there is, in the order in which they come. */
export type Chained = (last: AuditRow | undefined, drafts: readonly Draft[]) => AuditRow[];

export interface Place {
  readonly day: string;
  readonly n: number;
}

/** What entries are found by at once; whatever else is asked for, their reader looks for in what they say. */
export interface AuditFind {
  readonly user?: string;
  readonly resource?: string;
  readonly from?: string;
  readonly to?: string;
  /** Only those before this place. */
  readonly before?: Place;
}

/**
 * The audit room's trail: entries are appended, and never changed. Those that are stored together (`TOGETHER` at most) are there
 * together or not at all, and of two writers who chain theirs to the same entry one does it again.
 */
export interface AuditStore {
  /** Appends those that are not there yet. As part of the write that runs, where the store has transactions. */
  append(drafts: readonly Draft[], chained: Chained): void | Promise<void>;
  /** The same as a write of its own. Throws `Unavailable` where the store cannot say that it has it. */
  write(drafts: readonly Draft[], chained: Chained): Promise<void>;
  /** In order, after a place; about `limit`. */
  rows(after: Place | undefined, limit: number): Promise<AuditRow[]>;
  /** The latest first, about `limit`. */
  find(find: AuditFind, limit: number): Promise<AuditRow[]>;
  one(place: Place): Promise<AuditRow | undefined>;
  /** The last entry of each day, of the latest `limit` days. */
  ends(limit: number): Promise<AuditRow[]>;
  close(): Promise<void>;
}

/** How many entries one signature vouches for at most. */
export const TOGETHER = 256;

/** Drafts as they are stored together: none of them twice. */
export const bundles = (drafts: readonly Draft[]): Draft[][] => {
  const once = [...new Map(drafts.map((draft) => [draft.id, draft])).values()];
  return Array.from({ length: Math.ceil(once.length / TOGETHER) }, (_, i) => once.slice(i * TOGETHER, (i + 1) * TOGETHER));
};

/** What an entry is found by. */
export const foundBy = ({ body }: AuditRow): { id?: string; user?: string; resource?: string } => JSON.parse(body);
