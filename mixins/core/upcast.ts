import type { DomainEvent } from "./model.ts";

/** For each event type, how its version n becomes n + 1: `{ DealOpened: { 1: (event) => … } }`. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, (event: never) => DomainEvent>>>>;

/** What the rooms say of their older events. Filled when a node loads the rooms' `*.events.ts`, so that logs of rooms that run elsewhere are understood too. */
const declared = new Map<string, Upcasters>();

export const declareUpcasters = (room: string, upcasters: Upcasters): void => {
  declared.set(room, upcasters);
};

/**
 * An event as its room tells it today. A stored event without `v` is of its type's first version; each upcaster takes it
 * one further. What a newer node wrote, and no upcaster knows, stays as it is.
 */
export const upcast = <E extends DomainEvent>(room: string, event: DomainEvent): E => {
  const steps = declared.get(room)?.[event.type];
  if (!steps) return event as E;
  let current = event;
  for (let v = versionOf(event), step = steps[v]; step; step = steps[++v]) current = { ...step(current as never), v: v + 1 } as DomainEvent;
  return current as E;
};

/** The events as they are stored: those of a type that has changed say which version of it they are. */
export const stamped = <E extends DomainEvent>(room: string, events: readonly E[]): readonly E[] => {
  const types = declared.get(room);
  return types ? events.map((event) => (types[event.type] ? { ...event, v: versionToday(types[event.type]!) } : event)) : events;
};

const versionToday = (steps: Readonly<Record<number, unknown>>) => Math.max(...Object.keys(steps).map(Number)) + 1;

const versionOf = (event: DomainEvent) => (event as { v?: number }).v ?? 1;
