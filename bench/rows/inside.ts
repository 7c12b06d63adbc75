import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Measured } from "../report.ts";
import { pinned } from "../server.ts";
import type { Bench } from "./bench.ts";

/** Runs a row that measures inside one process of ours: it prints what it measured, as JSON. */
const inside =
  (row: string) =>
  async (bench: Bench): Promise<Measured[]> => {
    bench.progress(`${row}: in a process of its own`);
    const [command, args] = pinned(0, process.execPath, [join(import.meta.dirname, "inside", `${row.split("-")[0]}.ts`), row]);
    const env = { PATH: process.env.PATH, NODE_ENV: "production", DATA_DIR: bench.systems.folder(row), LOG_LEVEL: "warn" };
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    if (code !== 0) throw new Error(`${row} ended with ${code}: ${said}`);
    return JSON.parse(said.trim().split("\n").at(-1)!);
  };

export const insideRows = { call: inside("call"), "append-new": inside("append-new"), "append-hot": inside("append-hot") };
