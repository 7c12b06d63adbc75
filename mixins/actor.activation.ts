import { freeze, weigh } from "./core/freeze.ts";
import type { DomainEvent, Model, Versioned } from "./core/model.ts";
import type { Commit } from "./storage/event-store.ts";

/** An actor in memory. */
export interface Activation<S> {
  /** As decided. The last commits may still be on their way to the disk; `stored` says what became of them. */
  state: S;
  version: number;
  last?: string;
  occurredAt: number;
  /** The latest keys, with the version each made and what it asked; those up to `forgotten` are the store's to recall. */
  keys?: Map<string, { version: number; digest?: string }>;
  forgotten: number;
  /** The version of the snapshot that the store has, and about how many bytes of events came behind it. */
  snapshot: number;
  behind: number;
  /** About how many bytes the state took when that was last looked at, and how many of events came since. */
  weight: number;
  grown: number;
  seen?: Versioned<S>;
  loaded: Promise<void>;
  stored: Promise<void>;
  waiting: number;
}

/** What came of a command. */
export interface Decision<S> {
  appended: boolean;
  state: S;
  version: number;
  /** Settles when it is known whether the store has what the answer rests on. */
  stored: Promise<void>;
}

const MAX_KEYS = 32;

export const newActivation = <S>(state: S): Activation<S> => ({
  state,
  version: 0,
  occurredAt: 0,
  forgotten: 0,
  snapshot: 0,
  behind: 0,
  weight: 0,
  grown: 0,
  loaded: Promise.resolve(),
  stored: Promise.resolve(),
  waiting: 0,
});

/** Takes in commits as far as they continue what the activation knows. */
export const take = <S, E extends DomainEvent>(model: Model<S, E>, a: Activation<S>, commits: Commit<E>[]) => {
  for (const commit of commits) if (commit.version === a.version + 1 && commit.after === a.last) apply(model, a, commit);
};

export const apply = <S, E extends DomainEvent>(model: Model<S, E>, a: Activation<S>, commit: Commit<E>) => {
  const weight = weigh(commit.events);
  a.behind += weight;
  a.grown += weight;
  a.state = freeze(commit.events).reduce(model.evolve, a.state);
  a.version = commit.version;
  a.last = commit.id;
  a.occurredAt = commit.occurredAt;
  a.seen = undefined;
  if (commit.once) remember(a, commit.once, commit);
};

/** Keeps the latest keys; how far the forgotten ones reach is kept too, so that it is known when to ask the store. */
export const remember = <S>(a: Activation<S>, once: string, { version, digest }: { version: number; digest?: string }) => {
  a.keys ??= new Map();
  a.keys.set(once, { version, digest });
  if (a.keys.size <= MAX_KEYS) return;
  const [oldest, known] = a.keys.entries().next().value!;
  a.keys.delete(oldest);
  a.forgotten = Math.max(a.forgotten, known.version);
};

/** The same object as long as nothing changes: whoever serializes it may keep what it made. */
export const view = <S>(id: string, a: Activation<S>): Versioned<S> => {
  a.seen ??= Object.freeze({ ...a.state, id, version: a.version });
  return a.seen;
};
