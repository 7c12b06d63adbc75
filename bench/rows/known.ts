import { join } from "node:path";
import { Histogram } from "../load/histogram.ts";
import type { Outcome } from "../load/plan.ts";
import { type Measured, median } from "../report.ts";
import { Server } from "../server.ts";
import { START } from "../systems.ts";
import type { Bench } from "./bench.ts";

const ROUNDS = 9;
const SECONDS = 1.5;
const WAYS = { banyan: "known", open: "open" } as const;

/** What it costs to know who asks, and whether he may: one answer from memory to a user with a token, and the same to anyone. One server, in turns. */
export const known = async (bench: Bench): Promise<Measured[]> => {
  const program = { cwd: join(import.meta.dirname, "../.."), args: [...START.slice(0, -1), "bench/known.server.ts"] };
  const server = await Server.start(program, bench.systems.folder("known"));
  const outcomes = { banyan: [] as Outcome[], open: [] as Outcome[] };
  const run = (path: string, seconds: number) => {
    const asks = [{ path: `/api/v1/window/${path}`, marker: '"status":"open"' }];
    return bench.load.run({ port: server.port, connections: 64, seconds, work: { kind: "ask", asks } });
  };
  for (const path of Object.values(WAYS)) await run(path, 2);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [system, path] of Object.entries(WAYS) as [keyof typeof WAYS, string][]) {
      const before = server.cpu;
      const outcome = await run(path, SECONDS);
      outcomes[system].push(outcome);
      const micros = ((server.cpu - before) / outcome.answers) * 1e6;
      bench.progress(
        `get-known: round ${round}, ${path}, ${Math.round(outcome.answers / outcome.seconds)}/s, ${micros.toFixed(1)} µs of CPU each`,
      );
    }
  }
  await server.stop();
  return (Object.entries(outcomes) as [string, Outcome[]][]).map(([system, all]) => {
    const latencies = new Histogram();
    for (const outcome of all) latencies.add(new Histogram(outcome.latencies, outcome.answers, outcome.max));
    const rates = all.map(({ answers, seconds }) => answers / seconds);
    return { row: "get-known", system, median: median(rates), p99: latencies.percentile(0.99), unit: "/s" };
  });
};
