import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Rendezvous } from "../../mixins/core/rendezvous.strategy.ts";
import { type Calls, callsIn } from "./child.calls.ts";
import { folder } from "./system.ts";

/** A process that is a node of a cluster. */
export interface Node {
  readonly id: string;
  /** Where its gateway listens, if it has one. */
  readonly url: string;
  readonly process: ChildProcess;
  /** What it has logged as an error so far. */
  errors(): string[];
  /** Rejects with type, code and message of what the call failed with; with the type KILLED where the process ended. */
  readonly call: Calls;
  /** Ends it as an operator would (it then sends `{ stopping: true }`), or as a crash does, and answers its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface NodeSettings {
  /** Of the house. */
  rooms?: string[];
  /** Modules of rooms, from the root of the house. */
  modules?: string[];
  env: Record<string, string>;
}

/** Starts a node in a process of its own and resolves when it serves. It ends with the test; what it logged is told where it failed. */
export const startMember = async (t: TestContext, id: string, { rooms = [], modules = [], env }: NodeSettings): Promise<Node> => {
  const dir = folder(t);
  const path = join(dir, "log");
  const out = openSync(path, "a");
  const { NODE_TEST_CONTEXT, ...own } = process.env;
  const child = fork(join(import.meta.dirname, "cluster.member.ts"), [JSON.stringify({ rooms, modules })], {
    env: { ...own, HOST: "127.0.0.1", PORT: "0", DATA_DIR: dir, LOG_LEVEL: "warn", RATE_LIMIT: "0", NODE_ID: id, ...env },
    stdio: ["ignore", out, out, "ipc"],
  });
  closeSync(out);
  const exit = once(child, "exit") as Promise<[number | null]>;
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return (await exit)[0];
  };
  t.after(() => stop("SIGKILL"));
  const told = await Promise.race([once(child, "message"), exit.then(() => undefined)]);
  if (!told) throw new Error(`${id} ended before it served:\n${readFileSync(path, "utf8").slice(-2_000)}`);

  return {
    id,
    url: (told[0] as { url: string }).url,
    process: child,
    errors: () =>
      readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "" && !/"level":[1-4]0,/.test(line)),
    stop,
    call: callsIn(child, exit),
  };
};

/** Ids of actors that live on one node of two. */
export const idsOn = (node: string, nodes: string[], many: number): string[] => {
  const strategy = new Rendezvous({} as never, {} as never);
  const endpoints = nodes.map((id) => ({ id })) as never;
  const all = Array.from({ length: many * 4 }, (_, n) => `d-${n}`);
  return all.filter((id) => strategy.select(endpoints, { params: { id } } as never).id === node).slice(0, many);
};
