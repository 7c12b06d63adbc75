import type { SagaEvent } from "../core/saga.ts";
import type { Commit } from "./event-store.ts";

/** A saga as lists show it. */
export interface SagaRow {
  readonly id: string;
  readonly saga: string;
  readonly status: string;
  readonly owner: string;
  readonly at: number;
}

/** The record of a room's sagas, with an index of where each stands, kept in the same transaction. */
export interface SagaStore {
  /** Like `EventStore.append`; with the row as it is from this commit on, where that has changed. */
  append(commit: Commit<SagaEvent>, row?: SagaRow): Promise<void>;
  /** Shows the saga as its record has it, where an accident has left something else. */
  correct?(row: SagaRow, version: number): Promise<void>;
  read(id: string): Promise<Commit<SagaEvent>[]>;
  /** Sagas of a status after an id, in the order of ids. */
  list(status: string, after: string, limit: number): Promise<SagaRow[]>;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}
