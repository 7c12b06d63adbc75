import { SEEDED } from "../deals.ts";
import { Histogram } from "../load/histogram.ts";
import type { Measured } from "../report.ts";
import type { Server } from "../server.ts";
import type { SystemName } from "../systems.ts";
import type { Bench } from "./bench.ts";

/** A client reads nine times and creates once in ten seconds; clients come through a proxy that keeps so many connections. */
const CONNECTIONS = 256;
const SECONDS = 10;
const STEPS = 4;
const LIMIT = 500; // milliseconds
const work = { kind: "mixed", deals: SEEDED } as const;

interface Search {
  name: SystemName;
  server: Server;
  /** The most clients that it is known to serve, and the fewest that it is known not to. */
  serves: number;
  fails: number;
  p99: number;
}

/** A start for the search: what it does when asked as fast as it answers. It also warms it up. */
const begin = async (bench: Bench, name: SystemName): Promise<Search> => {
  bench.progress(`users: ${name} warms up`);
  const server = await bench.systems.start(name, true);
  const { answers, seconds } = await bench.load.run({ port: server.port, connections: 64, seconds: 4, work });
  await server.quiet();
  return { name, server, serves: 0, fails: Math.round((answers / seconds) * 1.2), p99: 0 };
};

const step = async (bench: Bench, search: Search) => {
  const { name, server, serves, fails } = search;
  const clients = Math.round(serves === 0 ? fails * 0.75 : (serves + fails) / 2);
  const { answers, latencies, max } = await bench.load.run({
    port: server.port,
    connections: CONNECTIONS,
    seconds: SECONDS,
    rate: clients,
    work,
  });
  const p99 = new Histogram(latencies, answers, max).percentile(0.99);
  if (p99 <= LIMIT) Object.assign(search, { serves: clients, p99 });
  else search.fails = clients;
  bench.progress(`users: ${name}, ${clients} clients, p99 ${Math.round(p99)} ms`);
  await server.quiet();
};

/** The most clients whose requests, arriving when they are due and not when there is time for them, have a p99 below 500 ms. */
export const users = async (bench: Bench): Promise<Measured[]> => {
  const searches: Search[] = [];
  for (const name of bench.names.filter((name) => name !== "node-http")) searches.push(await begin(bench, name));
  for (let n = 0; n < STEPS; n++) for (const search of searches) await step(bench, search);
  for (const search of searches) while (search.serves === 0 && search.fails > 1) await step(bench, search);
  for (const { server } of searches) await server.stop();
  return searches.map(({ name, serves, p99 }) => ({ row: "users", system: name, median: serves, p99, unit: "clients" }));
};
