/** A fact that happened to one stream, in its domain's own words. */
export interface DomainEvent {
  readonly type: string;
}

/** How a domain's state follows from its events. */
export interface Model<S, E extends DomainEvent> {
  readonly initial: S;
  readonly evolve: (state: S, event: E) => S;
  /** Raised whenever states made by an older `evolve` must not be used any more: their snapshots are dropped and folded anew. */
  readonly snapshot?: number;
}

/** Looks at the state and answers with what follows from it: events, none where nothing changes, or a thrown `Rejected`. */
export type Command<S, E> = (state: S) => readonly E[];

/** A state as an actor answers with it: whose it is and how far its stream had come. Frozen, and the same object as long as nothing changes. */
export type Versioned<S> = S & { id: string; version: number };
