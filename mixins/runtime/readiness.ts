import type { ServiceBroker } from "moleculer";
import { askConveniences, askDependencies } from "./health.ts";

export interface Readiness {
  ready: boolean;
  rooms: Record<string, "started" | "not started">;
  /** Those that this node cannot serve without, and those that it merely serves better with. */
  dependencies: Record<string, "answers" | "does not answer" | "does not answer, and is done without">;
}

/** The rooms that this node was given. Moleculer's own services begin with a dollar sign. */
export const roomsHere = (broker: ServiceBroker): string[] =>
  broker.services.map(({ name }) => name).filter((name) => !name.startsWith("$"));

/** Whether requests should come here: every room of this node has started and every dependency answers, and nobody has begun to stop it. */
export const readinessOf = async (broker: ServiceBroker, closing: boolean): Promise<Readiness> => {
  const started = new Set(broker.registry.getServiceList({ onlyLocal: true }).map(({ name }: { name: string }) => name));
  const [needed, welcome] = (await Promise.all([askDependencies(), askConveniences()])).map(Object.entries<boolean>) as [
    [string, boolean][],
    [string, boolean][],
  ];
  const rooms = roomsHere(broker);
  return {
    ready: broker.started && !closing && rooms.every((room) => started.has(room)) && needed.every(([, answered]) => answered),
    rooms: Object.fromEntries(rooms.map((room) => [room, started.has(room) ? "started" : "not started"])),
    dependencies: {
      ...Object.fromEntries(needed.map(([name, answered]) => [name, answered ? "answers" : "does not answer"])),
      ...Object.fromEntries(welcome.map(([name, answered]) => [name, answered ? "answers" : "does not answer, and is done without"])),
    },
  };
};
