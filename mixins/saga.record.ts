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
  /** What has happened and is not on its way to the record yet, and where the record's index has it. */
  unsaved: SagaEvent[];
  row: Pick<SagaState, "status" | "owner">;
  /** Settles when the record has all that was sent to it. */
  stored: Promise<void>;
  /** Resolves when the record says that the saga has begun. */
  readonly begun: Promise<void>;
  readonly begin: () => void;
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
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    if (commits.length > 0) begin();
    return {
      id,
      saga: commits.length > 0 ? this.saga(state.saga) : { name: "", steps: [] },
      state,
      version: commits.length,
      last: commits.at(-1)?.id,
      origin: { by, request, cause, occurredAt },
      unsaved: [],
      row: state,
      stored: Promise.resolve(),
      begun,
      begin,
      hurry: () => {},
    };
  }

  /** Takes the run on. What is repeated when it is lost does no harm, so it goes to the record with what comes next: see `flush`. */
  note(run: Run, events: readonly SagaEvent[]): void {
    run.state = events.reduce(sagaModel.evolve, run.state);
    run.unsaved.push(...events);
  }

  /** Sends to the record what it does not have; `run.stored` says when it has, or that somebody else was first. */
  flush(run: Run): void {
    if (run.unsaved.length === 0) return;
    const at = Date.now();
    const { id, origin, state, unsaved: events } = run;
    const { by, request, cause, occurredAt = at } = origin;
    const commit = {
      id: randomUUIDv7(),
      stream: id,
      version: run.version + 1,
      after: run.last,
      events,
      by,
      request,
      cause,
      at,
      occurredAt,
    };
    run.unsaved = [];
    run.version = commit.version;
    run.last = commit.id;
    const { status, owner, saga } = state;
    const moved = commit.version === 1 || status !== run.row.status || owner !== run.row.owner;
    run.row = { status, owner };
    const storing = this.#store.append(commit, moved ? { id, saga, status, owner, at } : undefined);
    run.stored = Promise.all([run.stored, storing]).then(run.begin);
    run.stored.catch(() => {}); // whoever waits for it sees it
  }

  append(run: Run, events: readonly SagaEvent[]): void {
    this.note(run, events);
    this.flush(run);
  }

  saga(name: string): Saga<never> {
    const saga = this.#sagas.get(name);
    if (!saga) throw new Error(`No saga ${name} here`);
    return saga;
  }
}

export const ended = ({ state }: Pick<Run, "state">): boolean => state.status === "completed" || state.status === "undone";
