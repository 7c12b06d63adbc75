import type { Random } from "./random.ts";

/** What is done to the system, and what it is done to: a place where a node runs, or one of the three NATS servers. */
export type FaultKind = "kill" | "stop" | "pause" | "cut" | "part" | "slow" | "mongo" | "redis" | "nats" | "rebuild";

export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds from the beginning at which it begins, and that it lasts. */
  readonly at: number;
  readonly lasts: number;
  readonly target: number;
  /** Of a slow link: milliseconds each way. */
  readonly delay?: number;
  /** Of a part: from which servers the node is cut off. */
  readonly from?: "nats" | "mongo" | "redis" | "all";
}

export interface ScheduleSettings {
  /** Milliseconds that faults may begin and last in. */
  readonly length: number;
  readonly nodes: number;
  readonly servers: number;
  /** Only faults of these kinds. */
  readonly only?: readonly FaultKind[];
}

const OF_NODES = { kill: 5, stop: 2, pause: 4, cut: 3, part: 3, slow: 3 } as const;
const OF_SERVERS = { mongo: 3, redis: 1, nats: 4, rebuild: 2 } as const;

/** Milliseconds that each lasts, from and to. A pause is longer than a lease, and often than a heartbeat may stay away. */
const LASTS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  ...{ kill: [100, 5_000], stop: [100, 2_000], pause: [3_500, 13_000], cut: [0, 0], part: [1_000, 7_000], slow: [3_000, 9_000] },
  ...{ mongo: [0, 3_000], redis: [0, 3_000], nats: [500, 12_000], rebuild: [0, 0] },
};
const PAUSE: readonly [number, number] = [1_500, 6_000]; // between two faults of one lane

/**
 * The faults of a run, as they follow from the seed: two lanes side by side, one of the nodes, one of the servers, and in each
 * one fault at a time. So one node and one server may be away together, and never two nodes, or two of the three NATS servers.
 */
export const scheduleOf = (random: Random, settings: ScheduleSettings): Fault[] => {
  const lanes = [lane(random.fork(), OF_NODES, settings), lane(random.fork(), OF_SERVERS, settings)];
  return lanes.flat().sort((a, b) => a.at - b.at);
};

export const isOfNode = ({ kind }: Fault): boolean => kind in OF_NODES;

const lane = (random: Random, weights: Partial<Record<FaultKind, number>>, { length, nodes, servers, only }: ScheduleSettings): Fault[] => {
  const own = Object.fromEntries(Object.entries(weights).filter(([kind]) => !only || only.includes(kind as FaultKind)));
  if (Object.keys(own).length === 0) return [];
  const faults: Fault[] = [];
  for (let at = random.int(...PAUSE); ; at += random.int(...PAUSE)) {
    const kind = random.weighted(own) as FaultKind;
    const lasts = random.int(...LASTS[kind]);
    if (at + lasts > length) return faults;
    const target = random.int(0, (kind === "nats" ? servers : nodes) - 1);
    const more =
      kind === "slow"
        ? { delay: random.int(5, 120) }
        : kind === "part"
          ? { from: random.weighted({ nats: 3, mongo: 3, redis: 1, all: 3 }) }
          : {};
    faults.push({ kind, at, lasts, target, ...more });
    at += lasts;
  }
};
