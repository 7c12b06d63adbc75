import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { onPath } from "../servers/recipe.ts";
import type { Server } from "../servers/start.ts";
import { useServers } from "./cluster.ts";

/** Whether it is no `mongod` that is started here: the stand-in differs from it in a few things. */
export const onStandIn = (): boolean => onPath("mongod") === undefined;

/**
 * For tests of what is the same in both settings, before anything reads the configuration: a folder of the test's own.
 * They run in the setting of their surroundings, which a file that imports them may have made (`settleOnMongo`).
 */
export const settle = (): "embedded" | "cluster" => {
  process.env.DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-test-"));
  after(() => rmSync(process.env.DATA_DIR!, { recursive: true, force: true }));
  return process.env.MONGO_URL ? "cluster" : "embedded";
};

/** A MongoDB for what this process reads as its configuration; `address` may put something between. Answers with the server where it is ours. */
export const settleOnMongo = async (address: (url: string) => string | Promise<string> = (url) => url): Promise<Server | undefined> => {
  const { mongo } = await useServers("mongo");
  process.env.MONGO_URL = await address(process.env.MONGO_URL!);
  return mongo;
};
