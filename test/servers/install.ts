import { existsSync } from "node:fs";
import { join } from "node:path";
import { goInstall } from "./checkers.ts";
import { installAll, isProgram, onPath, type Recipe, run, SHELF, shelve } from "./recipe.ts";

const NATS = "v2.15.2";

const nats: Recipe = {
  name: "nats",
  found() {
    const shelved = join(SHELF, `nats-${NATS}`, "nats-server");
    const path = isProgram(shelved) ? shelved : onPath("nats-server");
    return path ? [path] : undefined;
  },
  needs: ["go"],
  install: () => shelve(`nats-${NATS}`, (folder) => goInstall(`github.com/nats-io/nats-server/v2@${NATS}`, folder)),
};

const redis: Recipe = {
  name: "redis",
  found() {
    const path = onPath("redis-server") ?? onPath("valkey-server");
    return path ? [path] : undefined;
  },
  needs: ["apt-get"],
  async install() {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-qq"], { env });
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "redis-server"], { env });
  },
};

/** A real `mongod` where there is one; else the stand-in, which speaks its protocol (see `../../docs/scaling.md`). */
const mongo: Recipe = {
  name: "mongo",
  found() {
    const real = onPath("mongod");
    if (real) return [real];
    const java = onPath("java");
    const lib = join(SHELF, "mongo-stand-in-1.47.0", "lib");
    return java && existsSync(lib) ? [java, "-Xmx1g", "-cp", `${lib}/*`, join(import.meta.dirname, "MongoStandIn.java")] : undefined;
  },
  needs: ["java", "mvn"],
  install: () =>
    shelve("mongo-stand-in-1.47.0", async (folder) => {
      const pom = join(import.meta.dirname, "pom.xml");
      await run("mvn", ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${join(folder, "lib")}`]);
    }),
};

export const recipes = { nats, mongo, redis } as const;
export type ServerName = keyof typeof recipes;

/** What is not installed here. */
export const missing = (): ServerName[] => (Object.keys(recipes) as ServerName[]).filter((name) => !recipes[name].found());

/** Installs what is missing and can be had; answers why the rest cannot, by name. */
export const install = (tell: (line: string) => void = () => {}): Promise<Record<string, string>> =>
  installAll(Object.values(recipes), tell);
