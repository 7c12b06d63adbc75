/** One line of a rollup: what a bucket (a day) adds up to for one key of one dimension. Measures are whole numbers of 10⁻⁸. */
export interface Figure {
  readonly dimension: string;
  readonly key: string;
  readonly currency: string;
  readonly measures: readonly bigint[];
}

/** What a projection keeps, and how it is asked for. Documents are JSON objects, one per stream. */
export interface ViewSpec<D> {
  readonly name: string;
  /** Raised whenever documents made by an older definition must not be used any more: the view is then made anew. */
  readonly number: number;
  /** Single values that lists filter by, in columns. */
  readonly columns: Readonly<Record<string, (document: D) => string>>;
  /** Several values of one document that lists, or the rollup, find it by. */
  readonly many?: Readonly<Record<string, (document: D) => readonly string[]>>;
  /** The column that lists are ordered by; what came first stands first among equals. */
  readonly order: string;
  /** Columns that are filtered by together, each list from the first on. */
  readonly indexes?: readonly (readonly string[])[];
  /** Totals by bucket, one of `many`: recomputed from the documents of a bucket whenever one of them has changed, never added to. */
  readonly rollup?: {
    readonly by: string;
    readonly dimensions: readonly string[];
    readonly measures: readonly string[];
    readonly figures: (documents: Iterable<D>, bucket: string) => Iterable<Figure>;
  };
}

/** What a list asks for: exact values of columns or of `many`, a range of the order column, and where the last page ended. */
export interface ViewQuery {
  readonly where: Readonly<Record<string, string | undefined>>;
  readonly from?: string;
  readonly to?: string;
  readonly descending: boolean;
  readonly after?: readonly [order: string, place: number];
  readonly limit: number;
}

export interface ViewRow<D> {
  readonly place: number;
  readonly order: string;
  readonly document: D;
}

/** One change of a view's document: what it is from a version of its stream on, or that it is gone. */
export interface ViewChange<D> {
  readonly id: string;
  readonly version: number;
  readonly document: D | undefined;
  /** What the store has until now. */
  readonly before: D | undefined;
  /** Where it stands among those of equal order: the position of the commit that it began with. Unique, and never changes. */
  readonly place: number;
  /** Whether the store has nothing of it yet, not even that it is gone. */
  readonly added: boolean;
}

export interface Total {
  readonly key: string;
  readonly currency: string;
  readonly measures: bigint[];
}

/** The documents of one view, in one generation: a rebuild fills the next one beside it. */
export interface ViewStore<D> {
  readonly generation: number;
  get(id: string): { version: number; document: D | undefined; place: number } | undefined;
  /** The highest place that is taken. */
  last(): number;
  /** To be run inside a write of the room's file. */
  put(changes: Iterable<ViewChange<D>>): void;
  find(query: ViewQuery): ViewRow<D>[];
  /** Buckets of the rollup that wait to be recomputed, oldest first, at most `limit`. */
  dirty(limit: number): string[];
  /** Recomputes a bucket from its documents. */
  recompute(bucket: string): Promise<void>;
  /** Sums over the buckets from..to of one dimension: by its keys, or by the first `prefix` letters of the bucket. */
  totals(dimension: string, range: { from?: string; to?: string; currency?: string; prefix?: number }): Total[];
  /** Everything it holds, as text in a fixed order: two views are equal when these are. */
  dump(): Iterable<string>;
}

/** Where a room's views live. */
export interface ViewFile {
  /** The generation that serves, and the number of the definition that it was begun with. */
  serving(view: string): { generation: number; number: number } | undefined;
  serve(view: string, generation: number, number: number): Promise<void>;
  open<D extends object>(spec: ViewSpec<D>, generation: number): ViewStore<D>;
  drop(view: string, generation: number): Promise<void>;
  /** Changes when another process has written. */
  outside(): number;
  close(): Promise<void>;
}
