import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { onPath } from "../servers/install.ts";
import { type Server, startServer } from "../servers/start.ts";

let settled: "embedded" | "cluster" | undefined;

/** Whether it is no `mongod` that is started here: the stand-in differs from it in a few things. */
export const onStandIn = (): boolean => onPath("mongod") === undefined;

/** This test's surroundings in the setting that its file has chosen; embedded where none has. Before anything reads the configuration. */
export const settle = (): "embedded" | "cluster" => {
  if (settled) return settled;
  for (const name of ["TRANSPORTER", "MONGO_URL", "REDIS_URL"]) delete process.env[name];
  process.env.DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-test-"));
  after(() => rmSync(process.env.DATA_DIR!, { recursive: true, force: true }));
  settled = "embedded";
  return settled;
};

/**
 * This test's surroundings in a cluster, with databases of its own: on the MongoDB that `MONGO_URL` names, or on one
 * that is started here, which it answers with; `address` may put something between. Brokers made by hand have no
 * transporter, so nobody needs to listen at its address.
 */
export const settleInCluster = async (address: (url: string) => string | Promise<string> = (url) => url): Promise<Server | undefined> => {
  const given = process.env.MONGO_URL;
  const server = given ? undefined : await startServer("mongo");
  process.env.MONGO_URL = await address(given ?? server!.url);
  process.env.TRANSPORTER ??= "nats://127.0.0.1:1";
  process.env.NAMESPACE = `t${randomBytes(6).toString("hex")}`;
  delete process.env.REDIS_URL;
  settled = "cluster";
  after(() => server?.stop());
  return server;
};
