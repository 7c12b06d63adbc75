import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Break } from "./broken.ts";
import { inspect } from "./cases.ts";
import { attack } from "./chaos.faults.ts";
import { directly, Place, spread } from "./chaos.fleet.ts";
import { type Fault, type FaultKind, scheduleOf } from "./chaos.schedule.ts";
import { NATS_SERVERS, startServers } from "./chaos.servers.ts";
import { check } from "./check.ts";
import { Fleet } from "./fleet.ts";
import { Journal, outcomesOf } from "./journal.ts";
import { Random } from "./random.ts";
import { Traffic } from "./traffic.ts";

export interface ChaosSettings {
  readonly seed: number;
  readonly minutes: number;
  readonly nodes: number;
  /** Faults of these kinds alone; all where nothing is said. */
  readonly only?: readonly FaultKind[];
  /** Faults that the seed does not choose. */
  readonly faults?: readonly Fault[];
  readonly broken?: Break;
  readonly tell?: (line: string) => void;
}

export interface ChaosReport {
  readonly breaches: string[];
  readonly faults: Record<string, number>;
  readonly ops: number;
  readonly answers: Record<string, number>;
  readonly commits: number;
  readonly sagas: number;
  /** Milliseconds from when clients stopped until nothing moved. */
  readonly settling: number;
  /** The longest time in which no write was acknowledged, in milliseconds. */
  readonly silence: number;
  readonly seconds: number;
  readonly dir: string;
}

const CLIENTS = 20;
const PAUSE = 200; // milliseconds between two wishes of a client
const PATIENCE = 25_000; // longer than a gateway may stand still, and a call from node to node then take
const QUIET = 3_000; // milliseconds of traffic after the last fault

/** Real processes, real servers, clients, and what a seed does to them; then all that clients were told is held against what is. */
export const runChaos = async (settings: ChaosSettings): Promise<ChaosReport> => {
  const { seed, minutes, nodes, only, broken, tell = () => {} } = settings;
  const start = performance.now();
  const dir = mkdtempSync(join(tmpdir(), "banyan-chaos-"));
  const random = new Random(seed);
  const journal = new Journal();
  const fleet = new Fleet(dir);
  const places: Place[] = [];
  const length = Math.max(0, minutes * 60_000 - QUIET);
  const faults = settings.faults ?? scheduleOf(random.fork(), { length, nodes, servers: NATS_SERVERS, only });
  const servers = await startServers();
  const since = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  let began = performance.now();
  try {
    const opened = await Promise.all(spread(nodes).map((rooms) => Place.open(fleet, servers, rooms, { ...(broken && { broken }) })));
    places.push(...opened);
    tell(`${nodes} nodes serve after ${since()}`);
    began = performance.now();
    const traffic = new Traffic(fleet, journal, random.fork(), {
      clients: CLIENTS,
      twice: 0.05,
      pause: PAUSE,
      patience: PATIENCE,
      lingers: true,
    });
    const told = (fault: Fault) => tell(`${since()}: ${JSON.stringify(fault)}`);
    await Promise.all([attack({ fleet, places, servers }, faults, told), delay(length)]);
    await delay(QUIET);
    tell(`${since()}: the last fault is over`);
    await traffic.stop();
    const stopped = performance.now();
    tell(`${since()}: clients have ended`);
    const record = await inspect(dir, directly(servers));
    const settling = Math.round(performance.now() - stopped);
    tell(`${since()}: inspected`);
    await fleet.stopAll();
    const breaches = [...fleet.breaches, ...check(journal, record, { behind: BEHIND })];
    if (breaches.length === 0) rmSync(dir, { recursive: true, maxRetries: 3 });
    return {
      ...{ breaches, faults: countsOf(faults), ops: journal.ops, answers: outcomesOf(journal), settling, silence: silenceOf(journal), dir },
      commits: record.deals.length + record.stock.length,
      sagas: record.sagas.length,
      seconds: Math.round((performance.now() - start) / 100) / 10,
    };
  } finally {
    await fleet.stopAll("SIGKILL");
    await Promise.all(places.map((place) => place.close()));
    await servers.stop();
  }
};

const BEHIND = 1_000; // milliseconds that what one node lists may be behind another's

const countsOf = (faults: readonly Fault[]) =>
  Object.fromEntries(
    Array.from(
      Map.groupBy(faults, ({ kind }) => kind),
      ([kind, all]) => [kind, all.length],
    ),
  );

const silenceOf = ({ attempts }: Journal): number => {
  const ends = attempts.flatMap(({ op, outcome, ended }) => (outcome === "done" && op.method !== "GET" ? [ended] : []));
  return Math.round(Math.max(0, ...ends.sort((a, b) => a - b).map((at, i) => at - (ends[i - 1] ?? at))));
};
