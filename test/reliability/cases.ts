import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Break } from "./broken.ts";
import { check } from "./check.ts";
import { type Env, Fleet, forkHere } from "./fleet.ts";
import { Journal, outcomesOf } from "./journal.ts";
import type { NodeSettings } from "./node.ts";
import { Random } from "./random.ts";
import type { Inspected } from "./record.ts";
import { Traffic } from "./traffic.ts";

export interface Case {
  readonly about: string;
  readonly processes: number;
  /** How many of the ops that may be repeated go to two processes at once. */
  readonly twice: number;
  /** How many of the transactions fail. */
  readonly faults: number;
  /** How many of the runs stop a process for longer than its leases last, in place of killing it. */
  readonly pauses: number;
}

export const cases = {
  one: { about: "one process, killed during writes", processes: 1, twice: 0, faults: 0, pauses: 0 },
  several: { about: "three processes on one folder, killed or stopped for a while", processes: 3, twice: 0.1, faults: 0, pauses: 0.1 },
  twice: { about: "the same request sent to two processes at once, one of them killed", processes: 2, twice: 0.8, faults: 0, pauses: 0 },
  faults: { about: "a store that fails before and after it wrote, and kills", processes: 2, twice: 0.1, faults: 0.03, pauses: 0 },
} as const satisfies Record<string, Case>;

export interface RunSettings {
  runs: number;
  seed: number;
  clients?: number;
  broken?: Break;
  progress?: (run: number) => void;
}

export interface Report {
  breaches: string[];
  kills: number;
  pauses: number;
  ops: number;
  answers: Record<string, number>;
  commits: number;
  sagas: number;
  seconds: number;
  /** Where the files lie; gone where nothing was wrong. */
  dir: string;
}

const CLIENTS = 6;
const REBUILT = ["deals", "analytics", "inventory"] as const;
const LEASE = 3_000; // milliseconds that a lease lasts; a process that stands still for longer is taken for dead

/** Lets clients work on processes that are killed again and again, ends with a last start, and holds what was said against what is. */
export const runCase = async ({ processes, twice, faults, pauses }: Case, settings: RunSettings): Promise<Report> => {
  const { runs, seed, clients = CLIENTS, broken, progress = () => {} } = settings;
  const start = performance.now();
  const dir = mkdtempSync(join(tmpdir(), "banyan-crash-"));
  const random = new Random(seed);
  const journal = new Journal();
  const fleet = new Fleet(dir);
  const own = (): NodeSettings => ({
    ...(faults > 0 && { faults: { seed: random.int(1, 2 ** 31), rate: faults } }),
    ...(broken && { broken }),
  });
  let paused = 0;
  let traffic: Traffic | undefined;
  let record: Inspected;
  try {
    for (let n = 0; n < processes; n++) await fleet.start(own());
    traffic = new Traffic(fleet, journal, random.fork(), { clients, twice });
    for (let run = 1; run <= runs; run++) {
      if (random.chance(0.25)) random.pick(fleet.members).child.send({ rebuild: random.pick(REBUILT) });
      await delay(random.chance(0.9) ? random.int(10, 400) : random.int(400, LEASE + 1_500)); // a long one sees what the dead left taken over
      const victim = random.pick(fleet.members);
      if (random.chance(pauses)) {
        paused++;
        victim.child.kill("SIGSTOP");
        await delay(LEASE + random.int(100, 2_000));
        victim.child.kill("SIGCONT");
      } else {
        await fleet.kill(victim);
        if (random.chance(0.1)) await fleet.startInVain(own(), random.int(100, 1_500));
        await fleet.start(own());
      }
      progress(run);
    }
    if (runs === 0) await delay(1_500);
    await traffic.stop();
    await fleet.stopAll(runs > 0 && !broken ? "SIGKILL" : "SIGTERM"); // what a kill leaves is taken over when its leases have lapsed
    record = await inspect(dir);
  } finally {
    await fleet.stopAll("SIGKILL");
  }
  const breaches = [...fleet.breaches, ...check(journal, record)];
  if (breaches.length === 0) rmSync(dir, { recursive: true, maxRetries: 3 });
  return {
    ...{ breaches, kills: runs - paused, pauses: paused, ops: journal.ops, answers: outcomesOf(journal), dir },
    commits: record.deals.length + record.stock.length,
    sagas: record.sagas.length,
    seconds: Math.round((performance.now() - start) / 100) / 10,
  };
};

/** What a last process, which nobody kills, finds and makes of it. */
export const inspect = async (dir: string, env: Env = {}): Promise<Inspected> => {
  const child = forkHere("inspect.ts", [], dir, "inspect.log", env);
  const exit = once(child, "exit").then(([code]) => {
    throw new Error(`The last start ended with ${code}; see ${join(dir, "inspect.log")}`);
  });
  const [record] = (await Promise.race([once(child, "message"), exit])) as [Inspected];
  exit.catch(() => {});
  return record;
};
