import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Measured } from "../report.ts";
import type { Bench } from "./bench.ts";

const HOUSE = join(import.meta.dirname, "../..");

/** A process of ours to its end: what it said, and its exit code. */
const run = async (args: readonly string[], data: string) => {
  const env = { PATH: process.env.PATH, DATA_DIR: data, LOG_LEVEL: "warn" };
  const child = spawn(process.execPath, args, { cwd: HOUSE, env, stdio: ["ignore", "pipe", "ignore"] });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { said, code: code as number };
};

const verify = (data: string, ...args: string[]) => run(["services/audit/audit.command.ts", "verify", ...args], data);
const inside = async (data: string, what: "make" | "tamper") => {
  const { said, code } = await run([join(HOUSE, "bench/rows/inside/audit.ts"), what], data);
  if (code !== 0) throw new Error(`audit-verify: ${what} ended with ${code}`);
  return JSON.parse(said.trim().split("\n").at(-1)!) as { entries: number; expected: string[] };
};

/** Whether a trail of a million is verified in how long, and whether what is wrong with it is found. */
export const auditVerify = async (bench: Bench): Promise<Measured[]> => {
  const data = bench.systems.folder("audit");
  bench.progress("audit-verify: writing a million entries");
  const { entries } = await inside(data, "make");
  bench.progress("audit-verify: verifying them");
  const start = performance.now();
  const whole = await verify(data);
  const took = performance.now() - start;
  const memory = Number(/(\d+) MB\)/.exec(whole.said)?.[1]);
  if (whole.code !== 0 || !whole.said.startsWith(`${entries} entries`)) throw new Error(`audit-verify: ${whole.said.slice(0, 500)}`);
  bench.progress("audit-verify: tampering with a thousand");
  const { expected } = await inside(data, "tamper");
  const tampered = await verify(data);
  const found = tampered.said.split("\n").flatMap((line) => /^(\d{4}-\d\d-\d\d\/\d+): (\w+): /.exec(line)?.slice(1, 3).join(" ") ?? []);
  if (tampered.code !== 1 || found.sort().join() !== expected.sort().join())
    throw new Error(`audit-verify: of ${expected.length} places ${found.length} were named, and not the same`);
  const of = (row: string, median: number, unit: string): Measured => ({ row, system: "banyan", median, p99: null, unit });
  return [
    of("audit-verify", took, "ms"),
    of("audit-verify-rate", entries / (took / 1_000), "entries/s"),
    of("audit-verify-memory", memory, "MB"),
  ];
};
