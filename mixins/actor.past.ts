import { setImmediate as breathe } from "node:timers/promises";
import { freeze } from "./core/freeze.ts";
import type { DomainEvent, Model, Versioned } from "./core/model.ts";
import type { EventStore } from "./storage/event-store.ts";

const PAGE = 1_000;

/** A stream's state as it was at a moment, by when things happened, folded page by page; undefined where nothing had. */
export const stateAt = async <S extends object, E extends DomainEvent>(
  store: EventStore,
  model: Model<S, E>,
  id: string,
  time: number,
): Promise<Versioned<S> | undefined> => {
  let [state, version] = [model.initial, 0];
  for (;;) {
    const page = await store.read<E>(id, version, PAGE);
    const past = page.findIndex(({ occurredAt }) => occurredAt > time); // they stand in the order of when they happened
    for (const commit of past < 0 ? page : page.slice(0, past)) {
      [state, version] = [freeze(commit.events).reduce(model.evolve, state), commit.version];
    }
    if (past >= 0 || !page.more) return version > 0 ? freeze({ ...state, id, version }) : undefined;
    await breathe();
  }
};
