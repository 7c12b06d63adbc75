import { Histogram } from "../load/histogram.ts";
import type { Outcome, Work } from "../load/plan.ts";
import { type Measured, median } from "../report.ts";
import type { Server } from "../server.ts";
import type { SystemName } from "../systems.ts";
import type { Bench } from "./bench.ts";

const CONNECTIONS = 64;
const ROUNDS = 5;
const SECONDS = 1.5;
const WARM_UP = 2;
const WARM_UP_ALL = 6; // until most of the 20,000 have been read once, whatever a system makes of that

interface HttpRow {
  work: Work;
  /** Whether the systems have the seeded deals before. */
  seeded: boolean;
  /** Whether node:http, which answers anything with one deal, is a limit for it. */
  limit: boolean;
}

const ROWS: Record<string, HttpRow> = {
  "create-1": { work: { kind: "create", lines: 1 }, seeded: false, limit: true },
  "create-20": { work: { kind: "create", lines: 20 }, seeded: false, limit: true },
  get: { work: { kind: "get", deals: 20_000 }, seeded: true, limit: true },
  "get-cached": { work: { kind: "get", deals: 1 }, seeded: true, limit: true },
  list: { work: { kind: "list" }, seeded: true, limit: false },
};

/** The systems in turn, round by round, each with as many requests as it can answer on 64 connections. */
const measure = async (bench: Bench, row: string): Promise<Measured[]> => {
  const { work, seeded, limit } = ROWS[row]!;
  const names = bench.names.filter((name) => limit || name !== "node-http");
  const run = (server: Server, name: SystemName, seconds: number) =>
    bench.load.run({ port: server.port, connections: CONNECTIONS, seconds, work, anything: name === "node-http" });
  const servers = new Map<SystemName, Server>();
  const outcomes = new Map<SystemName, Outcome[]>();
  for (const name of names) {
    bench.progress(`${row}: ${name} warms up`);
    const server = await bench.systems.start(name, seeded);
    servers.set(name, server);
    outcomes.set(name, []);
    await run(server, name, row === "get" ? WARM_UP_ALL : WARM_UP);
    await server.quiet();
  }
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [name, server] of servers) {
      const before = server.cpu;
      const outcome = await run(server, name, SECONDS);
      outcomes.get(name)!.push(outcome);
      const late = await server.quiet();
      const micros = Math.round(((server.cpu - before) / outcome.answers) * 1e6); // on a busy machine the figure to trust
      const notes = [
        `${micros} µs of CPU each`,
        outcome.busy > 0.95 && "client is the limit",
        late > 500 && `${Math.round(late)} ms of work left over`,
      ];
      bench.progress([`${row}: round ${round}, ${name}`, `${Math.round(rate(outcome))}/s`, ...notes.filter(Boolean)].join(", "));
    }
  }
  for (const [name, server] of servers) {
    if (name !== "node-http") for (const id of created(outcomes.get(name)!)) await server.fetchJson(`/api/v1/deals/${id}`);
    await server.stop();
  }
  return names.map((system) => {
    const all = outcomes.get(system)!;
    const latencies = new Histogram();
    for (const outcome of all) latencies.add(new Histogram(outcome.latencies, outcome.answers, outcome.max));
    return { row, system, median: median(all.map(rate)), p99: latencies.percentile(0.99), unit: "/s" };
  });
};

const rate = ({ answers, seconds }: Outcome) => answers / seconds;

/** Some of what was acknowledged, from first to last: it must be there afterwards. */
const created = (outcomes: Outcome[]) => outcomes.flatMap(({ created }) => created.slice(-10));

export const httpRows = Object.fromEntries(Object.keys(ROWS).map((row) => [row, (bench: Bench) => measure(bench, row)]));
