import { type SagaEvent, type SagaState, sagaModel } from "../core/saga.ts";
import type { Commit } from "./event-store.ts";
import type { SagaRow } from "./saga-store.ts";

/** A saga's row, and the version of its record that it shows. */
export type ShownSaga = SagaRow & { readonly version: number };

/** How the sagas of these commits stand with them; `before` are the rows of those that had begun. What lists show follows from the record. */
export const sagaRows = (commits: readonly Commit[], before: ReadonlyMap<string, ShownSaga>): ShownSaga[] => {
  const rows = new Map<string, ShownSaga>();
  for (const { stream: id, version, events, at } of commits) {
    const last = rows.get(id) ?? before.get(id);
    const known = { ...sagaModel.initial, ...(last && { status: last.status as SagaState["status"], owner: last.owner, saga: last.saga }) };
    const { status, owner, saga } = (events as readonly SagaEvent[]).reduce(sagaModel.evolve, known);
    const moved = version === 1 || status !== last?.status || owner !== last.owner;
    rows.set(id, { id, saga, status, owner, at: moved ? at : last!.at, version });
  }
  return [...rows.values()];
};

/** Those of which the commits do not hold the beginning. */
export const begunBefore = (commits: readonly Commit[]): string[] => {
  const first = new Map<string, number>();
  for (const { stream, version } of commits) if (!first.has(stream)) first.set(stream, version);
  return [...first].filter(([, version]) => version > 1).map(([stream]) => stream);
};
