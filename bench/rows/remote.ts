import { Histogram } from "../load/histogram.ts";
import type { Plan } from "../load/plan.ts";
import type { Member } from "../remote/member.ts";
import { MANY, summaryId } from "../remote/summaries.ts";
import { type RemoteName, RemoteSystems, storeName } from "../remote/systems.ts";
import { type Measured, median } from "../report.ts";
import type { Server } from "../server.ts";
import type { Bench, Row } from "./bench.ts";

const LANES = 64;
const ROUNDS = 5;
const SECONDS = 1.5;
const WARM_UP = 3;

interface Taken {
  answers: number;
  seconds: number;
  latencies: Uint32Array;
  max: number;
}

/** A system that is up: how it is asked for a round, and what CPU time its processes have taken. */
interface Running {
  round(seconds: number): Promise<Taken>;
  cpu(): number;
}

/** One process calls another, 64 calls on their way at any time. */
const calls = async (systems: RemoteSystems, name: RemoteName): Promise<Running> => {
  const members: Member[] = [await systems.member(name, "room"), await systems.member(name, "caller")];
  return {
    round: (seconds) => members[1]!.round({ seconds, lanes: LANES }),
    cpu: () => members.reduce((sum, { cpu }) => sum + cpu, 0),
  };
};

const asks = Array.from({ length: MANY }, (_, n) => ({ path: `/api/v1/echo/${summaryId(n)}`, marker: `"id":"${summaryId(n)}"` }));

/** Requests come over HTTP, on 64 connections, to a process that asks another one. */
const http =
  (gateways: Server[], { load }: Bench) =>
  async (systems: RemoteSystems, name: RemoteName): Promise<Running> => {
    const room = await systems.member(name, "room");
    const gateway = await systems.gateway(name);
    gateways.push(gateway);
    const plan: Omit<Plan, "seconds"> = { port: gateway.port, connections: LANES, work: { kind: "ask", asks } };
    return { round: (seconds) => load.run({ ...plan, seconds }), cpu: () => gateway.cpu + room.cpu };
  };

/** Deals are opened over HTTP, on 64 connections to a process that has another one store them. */
const create =
  (gateways: Server[], { load }: Bench) =>
  async (systems: RemoteSystems, name: RemoteName): Promise<Running> => {
    const room = await systems.member(name, "deals");
    const gateway = await systems.gateway(name, name === "banyan" ? "/api/v1/deals?limit=1" : "/health/ready");
    gateways.push(gateway);
    const plan: Omit<Plan, "seconds"> = { port: gateway.port, connections: LANES, work: { kind: "create", lines: 1 } };
    return {
      async round(seconds) {
        const outcome = await load.run({ ...plan, seconds });
        for (const id of outcome.created.slice(-10)) await gateway.fetchJson(`/api/v1/deals/${id}`);
        return outcome;
      },
      cpu: () => gateway.cpu + room.cpu,
    };
  };

/** The systems in turn, round by round. */
const measure = async (
  row: string,
  { remotes, progress, systems: all }: Bench,
  start: (systems: RemoteSystems, name: RemoteName) => Promise<Running>,
  stored = false,
): Promise<Measured[]> => {
  const names = remotes.filter((name) => !stored || name !== "nats-raw"); // it has no room that stores
  const systems = await RemoteSystems.open(all.folder(row), stored, all.profiles);
  try {
    const running = new Map<RemoteName, Running>();
    const taken = new Map<RemoteName, Taken[]>();
    for (const name of names) {
      progress(`${row}: ${name} warms up`);
      const system = await start(systems, name);
      await system.round(WARM_UP);
      running.set(name, system);
      taken.set(name, []);
    }
    for (let round = 1; round <= ROUNDS; round++) {
      for (const [name, system] of running) {
        const before = system.cpu();
        const one = await system.round(SECONDS);
        taken.get(name)!.push(one);
        const micros = Math.round(((system.cpu() - before) / one.answers) * 1e6); // without what NATS takes
        progress(`${row}: round ${round}, ${name}, ${Math.round(rate(one))}/s, ${micros} µs of CPU each`);
      }
    }
    return names.map((system) => {
      const all = taken.get(system)!;
      const latencies = new Histogram();
      for (const { latencies: counts, answers, max } of all) latencies.add(new Histogram(counts, answers, max));
      const told = stored ? `${row} on ${storeName()}` : row;
      return { row: told, system, median: median(all.map(rate)), p99: latencies.percentile(0.99), unit: "/s" };
    });
  } finally {
    await systems.close();
  }
};

const rate = ({ answers, seconds }: Taken) => answers / seconds;

export const remoteRows: Record<string, Row> = {
  "remote-call": (bench) => measure("remote-call", bench, calls),
  "remote-http": (bench) => throughGateways((gateways) => measure("remote-http", bench, http(gateways, bench))),
  "remote-create": (bench) => throughGateways((gateways) => measure("remote-create", bench, create(gateways, bench), true)),
};

const throughGateways = async (work: (gateways: Server[]) => Promise<Measured[]>): Promise<Measured[]> => {
  const gateways: Server[] = [];
  try {
    return await work(gateways);
  } finally {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
  }
};
