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

/** Where a document stands among those of equal order: a number that grows with what came when, or its id. */
export type Place = number | string;

/** What a list asks for: exact values of columns or of `many`, a range of the order column, and where the last page ended. */
export interface ViewQuery {
  readonly where: Readonly<Record<string, string | undefined>>;
  readonly from?: string;
  readonly to?: string;
  readonly descending: boolean;
  readonly after?: readonly [order: string, place: Place];
  readonly limit: number;
}

export interface ViewRow<D> {
  readonly place: Place;
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
  /** Where it stands among those of equal order, in a store that keeps arrivals: the position of the commit that it began with. Unique, and never changes. */
  readonly place: number;
  /** Whether the store has nothing of it yet, not even that it is gone. */
  readonly added: boolean;
}

export interface Total {
  readonly key: string;
  readonly currency: string;
  readonly measures: bigint[];
}

/** What a view has of one stream. */
export interface Held<D> {
  readonly version: number;
  readonly document: D | undefined;
  readonly place: number;
}

/** Buckets from..to of a rollup, in one currency; by their first `prefix` letters where that is said. */
export interface Range {
  readonly from?: string;
  readonly to?: string;
  readonly currency?: string;
  readonly prefix?: number;
}

/** An answer that is there at once where the store is in this process. */
export type Soon<T> = T | Promise<T>;

/** The documents of one view, in one generation: a rebuild fills the next one beside it. */
export interface ViewStore<D> {
  readonly generation: number;
  /** What it has of these streams; those that it has nothing of are missing. */
  load(ids: readonly string[]): Soon<Map<string, Held<D>>>;
  /** The highest place that is taken; infinite where places say nothing of what came when. */
  last(): number;
  /** Part of `CursorStore.advance`: each change is stored unless the store is past its version already. */
  put(changes: readonly ViewChange<D>[]): Soon<void>;
  find(query: ViewQuery): Soon<ViewRow<D>[]>;
  /** Buckets of the rollup that wait to be recomputed, oldest first, at most `limit`. */
  dirty(limit: number): Soon<string[]>;
  /** Recomputes a bucket from its documents. */
  recompute(bucket: string): Promise<void>;
  /** Sums over buckets of one dimension: by its keys, or by the buckets' prefixes. */
  totals(dimension: string, range: Range): Soon<Total[]>;
  /** Everything it holds, as text in a fixed order: two views are equal when these are. */
  dump(): Iterable<string> | AsyncIterable<string>;
}

/** Where a room's views live. */
export interface ViewFile {
  /** The generation that serves, and the number of the definition that it was begun with. */
  serving(view: string): Soon<{ generation: number; number: number } | undefined>;
  serve(view: string, generation: number, number: number): Promise<void>;
  open<D extends object>(spec: ViewSpec<D>, generation: number): ViewStore<D>;
  drop(view: string, generation: number): Promise<void>;
  /** Like `drop`, of one that has served until now: whoever is about to read it still finds it. */
  retire(view: string, generation: number): Promise<void>;
  /** Changes when another process may have written. */
  outside(): number;
  close(): Promise<void>;
}
