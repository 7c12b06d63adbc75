import { existsSync, globSync } from "node:fs";
import { join, resolve } from "node:path";
import type { SchemaStep } from "../storage/schema-store.ts";
import type { Projection } from "../view.sink.ts";
import { Refused } from "./refused.ts";

const HOUSE = resolve(import.meta.dirname, "../..");

/** What the rooms say of their older events: logs of rooms that run elsewhere are read here, too. */
export const loadEvents = async (): Promise<void> => {
  for (const file of globSync("services/*/*.events.ts", { cwd: HOUSE })) await import(join(HOUSE, file));
};

/** The projections of all rooms, without starting any. */
export const allProjections = async (): Promise<Projection<object, never>[]> => {
  await loadEvents();
  const files = globSync("services/*/*.views.ts", { cwd: HOUSE }).sort();
  const modules = await Promise.all(files.map((file) => import(join(HOUSE, file)) as Promise<Record<string, unknown>>));
  return modules.flatMap((module) => Object.values(module)).filter(isProjection);
};

/** The steps of a room's schema; none where it declares none. */
export const schemaOf = async (room: string): Promise<readonly SchemaStep[]> => {
  const path = join(HOUSE, `services/${room}/${room}.schema.ts`);
  if (!existsSync(path)) return [];
  const { steps } = (await import(path)) as { steps?: readonly SchemaStep[] };
  if (!steps) throw new Refused(`services/${room}/${room}.schema.ts must export its steps`);
  return steps;
};

const isProjection = (value: unknown): value is Projection<object, never> =>
  typeof value === "object" && value !== null && "on" in value && "source" in value && "number" in value;
