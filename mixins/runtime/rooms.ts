import { globSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { ServiceBroker } from "moleculer";
import { Refused } from "./refused.ts";

const HOUSE = resolve(import.meta.dirname, "../..");

/** Names of all rooms there are: the folders of `services` that hold a `<room>.service.ts`. */
export const allRooms = (): string[] => globSync("services/*/*.service.ts", { cwd: HOUSE }).map(roomOf).sort();

const roomOf = (file: string) => {
  const room = basename(file, ".service.ts");
  if (basename(dirname(file)) !== room) throw new Refused(`${file} must be named after its folder, ${basename(dirname(file))}.service.ts`);
  return room;
};

interface Known {
  readonly name: string;
  readonly metadata?: Record<string, unknown>;
}

/** The rooms within reach whose services say in their metadata that they have a feature (`sagas`, `follows`), by name. */
export const roomsWith = (broker: ServiceBroker, feature: string): string[] =>
  withinReach(broker)
    .filter(({ metadata }) => metadata?.[feature])
    .map(({ name }) => name)
    .sort();

/** All that run somewhere within reach. */
export const withinReach = (broker: ServiceBroker) => broker.registry.getServiceList({ onlyAvailable: true }) as Known[];
