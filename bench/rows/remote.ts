import { Histogram } from "../load/histogram.ts";
import type { Plan } from "../load/plan.ts";
import type { Member } from "../remote/member.ts";
import { MANY, summaryId } from "../remote/summaries.ts";
import { type RemoteName, RemoteSystems } from "../remote/systems.ts";
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

/** The systems in turn, round by round. */
const measure = async (
  row: string,
  { remotes: names, progress, systems: all }: Bench,
  start: (systems: RemoteSystems, name: RemoteName) => Promise<Running>,
): Promise<Measured[]> => {
  const systems = await RemoteSystems.open(all.folder(row), all.profiles);
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
      return { row, system, median: median(all.map(rate)), p99: latencies.percentile(0.99), unit: "/s" };
    });
  } finally {
    await systems.close();
  }
};

const rate = ({ answers, seconds }: Taken) => answers / seconds;

export const remoteRows: Record<string, Row> = {
  "remote-call": (bench) => measure("remote-call", bench, calls),
  "remote-http": async (bench) => {
    const gateways: Server[] = [];
    try {
      return await measure("remote-http", bench, http(gateways, bench));
    } finally {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    }
  },
};
