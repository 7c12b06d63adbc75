import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HOUSE } from "../support/system.ts";

/** What files of a deployment may speak of, read from where it is: settings, rooms, versions. */
export const readText = (path: string): string => readFileSync(join(HOUSE, path), "utf8");

/** Every variable that a process takes from its environment. */
export const settings = new Set([...readText("mixins/runtime/config.ts").matchAll(/"([A-Z][A-Z_]+)"/g)].map(([, name]) => name!));

export const rooms = globSync("services/*/*.service.ts", { cwd: HOUSE })
  .map((path) => path.split(/[\\/]/)[1]!)
  .sort();

export const { version } = JSON.parse(readText("package.json")) as { version: string };

/** The Node that the tests run on. */
export const nodeVersion = (JSON.parse(readText("package-lock.json")) as { packages: Record<string, { version: string }> }).packages[
  "node_modules/node"
]!.version;

/** How long a node takes to stop at most, in seconds, as start.ts has it. */
export const patience = Number(/PATIENCE = ([\d_]+)/.exec(readText("start.ts"))![1]!.replaceAll("_", "")) / 1_000;

/** An image that says which version it is of: not `latest`, and no name alone. */
export const isPinned = (image: string): boolean => /^[\w./-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/.test(image);
