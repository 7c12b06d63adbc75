import { LRUCache } from "lru-cache";
import type { DomainEvent } from "./core/model.ts";
import type { Sink } from "./follower.ts";
import type { Logged } from "./storage/event-store.ts";
import type { Held, ViewChange, ViewSpec, ViewStore } from "./storage/view-store.ts";

/** A view, and how its documents follow from one room's events: each handler takes the stream's document so far and answers the next, or undefined to remove it. */
export interface Projection<D, E extends DomainEvent> extends ViewSpec<D> {
  readonly source: string;
  /** What of a document lists show; all of it where nothing is said. */
  readonly show?: (document: D) => object;
  readonly on: {
    readonly [T in E["type"]]?: (document: D | undefined, event: Extract<E, { type: T }>, commit: Logged<E>) => D | undefined;
  };
}

type Fold<D> = (document: D | undefined, event: DomainEvent, commit: Logged) => D | undefined;

const DOCUMENTS = 2_000; // decoded documents kept by the one that projects

/** Folds commits into documents, in memory until they are stored with the cursor. */
export class ViewSink<D extends object> implements Sink {
  readonly #on: Record<string, Fold<D> | undefined>;
  readonly #store: ViewStore<D>;
  readonly #kept = new LRUCache<string, Held<D>>({ max: DOCUMENTS });
  /** What the store has of the streams that come next, where that is not kept. */
  #loaded = new Map<string, Held<D>>();
  #staged = new Map<string, ViewChange<D>>();
  /** The highest place that the store has; unknown until it is asked. */
  #last?: number;

  constructor(spec: Projection<D, never>, store: ViewStore<D>) {
    this.#on = spec.on as Record<string, Fold<D> | undefined>;
    this.#store = store;
  }

  prepare(commits: readonly Logged[]): void | Promise<void> {
    const [ids, begun] = [new Set<string>(), new Set<string>()];
    for (const commit of commits) {
      const { stream } = commit;
      if (begun.has(stream) || this.#staged.has(stream) || this.#kept.has(stream)) continue;
      (this.#isFirst(commit) ? begun : ids).add(stream);
    }
    if (ids.size === 0) return;
    const found = this.#store.load([...ids]);
    const take = (held: Map<string, Held<D>>) => {
      this.#loaded = held;
    };
    return found instanceof Promise ? found.then(take) : take(found);
  }

  take(commit: Logged): void {
    const { stream: id, version, events, position } = commit;
    if (!events.some(({ type }) => this.#on[type])) return;
    const staged = this.#staged.get(id);
    const last = staged ?? this.#kept.get(id) ?? this.#loaded.get(id);
    if (last && last.version >= version) return; // it came before
    let document = last?.document;
    for (const event of events) {
      const handler = this.#on[event.type];
      if (handler) document = handler(document, event, commit);
    }
    const place = last?.place ?? position;
    const [before, added] = staged ? [staged.before, staged.added] : [last?.document, last === undefined];
    this.#staged.set(id, { id, version, document, before, place, added });
  }

  flush(): () => void | Promise<void> {
    const changes = [...this.#staged.values()];
    this.#staged = new Map();
    this.#loaded = new Map();
    for (const { id, version, document, place } of changes) {
      this.#kept.set(id, { version, document, place });
      this.#last = Math.max(place, this.#last ?? 0);
    }
    return () => this.#store.put(changes);
  }

  /** Of a stream that begins behind all that the store has, the store has nothing: it need not be asked. */
  #isFirst({ version, position }: Logged): boolean {
    this.#last ??= this.#store.last();
    return version === 1 && position > this.#last;
  }

  dropped(): void {
    this.#staged = new Map();
    this.#loaded = new Map();
    this.#kept.clear();
    this.#last = undefined;
  }
}
