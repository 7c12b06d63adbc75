import { randomUUIDv7 } from "node:crypto";
import { type Saga, type SagaEvent, type SagaState, sagaModel } from "./core/saga.ts";
import type { Commit } from "./storage/event-store.ts";
import type { SagaStore } from "./storage/saga-store.ts";

/** On whose behalf a saga runs, and when what it does happened. */
export type Origin = Pick<Commit, "by" | "request" | "cause"> & { occurredAt?: number };

/** One saga in the hands of this process. */
export interface Run {
  readonly id: string;
  saga: Saga<never>;
  state: SagaState;
  version: number;
  last?: string;
  origin: Origin;
  /** Settles when the record has all that was appended. */
  stored: Promise<void>;
  /** Cuts the wait before the next try short. */
  hurry: () => void;
}

/** Reads and writes the progress of a room's sagas. */
export class SagaRecord {
  readonly #sagas: ReadonlyMap<string, Saga<never>>;
  readonly #store: SagaStore;

  constructor(sagas: Iterable<Saga<never>>, store: SagaStore) {
    this.#sagas = new Map([...sagas].map((saga) => [saga.name, saga]));
    this.#store = store;
  }

  /** The saga as the record has it; one that was never begun has the status `none`. */
  async load(id: string): Promise<Run> {
    const commits = await this.#store.read(id);
    const state = commits.flatMap(({ events }) => events).reduce(sagaModel.evolve, sagaModel.initial);
    const { by, request, cause, occurredAt } = commits[0] ?? {};
    return {
      id,
      saga: commits.length > 0 ? this.saga(state.saga) : { name: "", steps: [] },
      state,
      version: commits.length,
      last: commits.at(-1)?.id,
      origin: { by, request, cause, occurredAt },
      stored: Promise.resolve(),
      hurry: () => {},
    };
  }

  /** Takes the run on at once; `run.stored` says when the record has it, or that somebody else was first. */
  append(run: Run, events: SagaEvent[]): void {
    const at = Date.now();
    const before = run.state;
    run.state = events.reduce(sagaModel.evolve, before);
    run.version++;
    const { status, owner, saga } = run.state;
    const moved = status !== before.status || owner !== before.owner;
    const { by, request, cause, occurredAt = at } = run.origin;
    const commit: Commit<SagaEvent> = {
      id: randomUUIDv7(),
      stream: run.id,
      version: run.version,
      after: run.last,
      events,
      by,
      request,
      cause,
      at,
      occurredAt,
    };
    run.last = commit.id;
    const storing = this.#store.append(commit, moved ? { id: run.id, saga, status, owner, at } : undefined);
    run.stored = Promise.all([run.stored, storing]).then(() => {});
    run.stored.catch(() => {}); // whoever waits for it sees it
  }

  saga(name: string): Saga<never> {
    const saga = this.#sagas.get(name);
    if (!saga) throw new Error(`No saga ${name} here`);
    return saga;
  }
}

export const ended = ({ state }: Pick<Run, "state">): boolean => state.status === "completed" || state.status === "undone";
