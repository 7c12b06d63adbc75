import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Where servers that no package manager keeps are put, once for all checkouts. */
export const SHELF = join(homedir(), ".cache", "banyan", "servers");

const NATS = "v2.15.2";

/** How one server gets onto this machine: the command that starts it, if it is there, and how it is fetched if not. */
interface Recipe {
  readonly name: string;
  /** The beginning of the command line that starts it; undefined where it is not installed. */
  found(): string[] | undefined;
  /** Programs without which it cannot be installed here. */
  readonly needs: readonly string[];
  install(): Promise<void>;
}

export const onPath = (program: string): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isProgram);

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return existsSync(path);
  } catch {
    return false;
  }
};

const run = async (command: string, args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<void> => {
  const child = spawn(command, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${said}`);
};

/** Makes the folder whole or not at all, so that an install that was interrupted, or runs twice at once, is never taken for one. */
const shelve = async (name: string, fill: (folder: string) => Promise<void>): Promise<void> => {
  const [target, partial] = [join(SHELF, name), join(SHELF, `${name}.partial-${process.pid}`)];
  mkdirSync(partial, { recursive: true });
  try {
    await fill(partial);
    if (!existsSync(target)) renameSync(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
};

const nats: Recipe = {
  name: "nats",
  found() {
    const shelved = join(SHELF, `nats-${NATS}`, "nats-server");
    const path = isProgram(shelved) ? shelved : onPath("nats-server");
    return path ? [path] : undefined;
  },
  needs: ["go"],
  install: () => shelve(`nats-${NATS}`, (GOBIN) => run("go", ["install", `github.com/nats-io/nats-server/v2@${NATS}`], { env: { GOBIN } })),
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
    return java && existsSync(lib) ? [java, "-Xmx512m", "-cp", `${lib}/*`, join(import.meta.dirname, "MongoStandIn.java")] : undefined;
  },
  needs: ["java", "mvn"],
  install: () =>
    shelve("mongo-stand-in-1.47.0", (folder) =>
      run("mvn", [
        "-q",
        "-B",
        "-f",
        join(import.meta.dirname, "pom.xml"),
        "dependency:copy-dependencies",
        `-DoutputDirectory=${join(folder, "lib")}`,
      ]),
    ),
};

export const recipes = { nats, mongo, redis } as const;
export type ServerName = keyof typeof recipes;

/** What is not installed here. */
export const missing = (): ServerName[] => (Object.keys(recipes) as ServerName[]).filter((name) => !recipes[name].found());

/** Installs what is missing and can be had; answers why the rest cannot, by name. */
export const install = async (tell: (line: string) => void = () => {}): Promise<Partial<Record<ServerName, string>>> => {
  const failed: Partial<Record<ServerName, string>> = {};
  for (const name of missing()) {
    const { needs, install } = recipes[name];
    const lacking = needs.filter((program) => !onPath(program));
    if (lacking.length > 0) {
      failed[name] = `it takes ${lacking.join(" and ")} to install it here`;
      continue;
    }
    tell(`Installing ${name} …`);
    const start = Date.now();
    await install().then(
      () => tell(`Installed ${name} in ${Math.round((Date.now() - start) / 1000)} s`),
      (error: Error) => {
        failed[name] = error.message;
      },
    );
  }
  return failed;
};
