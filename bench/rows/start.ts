import { type Measured, median } from "../report.ts";
import type { SystemName } from "../systems.ts";
import type { Bench } from "./bench.ts";

const ROUNDS = 5;

/** Each system is started on an empty folder, in turn; `of` says what is noted once it is ready. */
const starts = async (
  bench: Bench,
  row: string,
  unit: string,
  of: (started: { startMs: number; rss: number }) => number,
): Promise<Measured[]> => {
  const seen = new Map<SystemName, number[]>(bench.names.map((name) => [name, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const name of bench.names) {
      const server = await bench.systems.start(name);
      seen.get(name)!.push(of(server));
      await server.stop();
      bench.progress(`${row}: round ${round}, ${name}, ${Math.round(seen.get(name)!.at(-1)!)} ${unit}`);
    }
  }
  return bench.names.map((system) => ({ row, system, median: median(seen.get(system)!), p99: null, unit }));
};

/** Milliseconds from the start of the process to its first yes at /health/ready, and the memory that it has then. */
export const startRows = {
  start: (bench: Bench) => starts(bench, "start", "ms", ({ startMs }) => startMs),
  memory: (bench: Bench) => starts(bench, "memory", "MB", ({ rss }) => rss),
};
