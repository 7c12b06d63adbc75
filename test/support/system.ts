import "./credentials.env.ts";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

export const HOUSE = resolve(import.meta.dirname, "../..");

type Env = Record<string, string>;

/** A folder of the test's own, gone when it ends. */
export const folder = (t: TestContext): string => {
  const path = mkdtempSync(join(tmpdir(), "banyan-"));
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
};

/** What this process's own surroundings say must not reach the one that is tested. */
const surroundings = (env: Env): Env => {
  const own = ["HOST", "PORT", "DATA_DIR", "ROOMS", "NODE_ID", "STATUS_PORT", "LOG_LEVEL", "NODE_TEST_CONTEXT"];
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !own.includes(entry[0]));
  return { ...Object.fromEntries(kept), ...env };
};

const node = (args: string[], env: Env, cwd = HOUSE): ChildProcess =>
  spawn(process.execPath, args, { cwd, env: surroundings(env), stdio: "pipe" });

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program of the house to its end. */
export const run = async (args: string[], env: Env = {}, input = ""): Promise<Ended> => {
  const child = node(args, env);
  let [stdout, stderr] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text) => (stderr += text));
  child.stdin!.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
};

export interface System {
  url: string;
  /** What it said when it began to serve. */
  serving: Record<string, unknown>;
  process: ChildProcess;
  /** All that it has told people so far. */
  told(): string;
  /** Ends it as an operator would, or as a crash does, and answers its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts the system as `npm start` does, on a free port, from this checkout or another, and resolves when it says that it serves. It ends with the test. */
export const startSystem = async (t: TestContext, env: Env, rooms: readonly string[] = [], house = HOUSE): Promise<System> => {
  const args = ["--import", "./mixins/runtime/needs-node-26.js", "start.ts", ...rooms];
  const child = node(args, { PORT: "0", LOG_LEVEL: "info", ...env }, house);
  const closed = once(child, "close") as Promise<[number | null]>;
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return (await closed)[0];
  };
  t.after(() => stop("SIGKILL"));
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text) => (errors += text));
  const lines = createInterface({ input: child.stdout! });
  const serving = await new Promise<Record<string, unknown>>((done, failed) => {
    lines.on("line", (line) => {
      if (line.includes('"event":"serving"')) done(JSON.parse(line));
    });
    closed.then(([code]) => failed(new Error(`It ended with ${code} before it served: ${errors}`)));
  });
  return { url: String(serving.url), serving, process: child, told: () => errors, stop };
};
