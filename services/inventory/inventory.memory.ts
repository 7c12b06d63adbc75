import { find, put, type Table } from "./inventory.table.ts";

/** What became of a reservation or movement; `id` is the reservation's own, or `<kind>:<id>` of a movement. */
export interface Settled {
  readonly id: string;
  readonly outcome: "issued" | "released" | "expired" | "moved";
  /** FIFO cost in total of what left. */
  readonly cost?: string;
}

/**
 * The latest settled ids, in two generations: when the newer is full it becomes the older, and what was the older is
 * forgotten. So between GENERATION and twice as many are known, at the cost of one small insertion each.
 *
 * What is forgotten can be told from what never was, where the caller says when it first asked (`askedAt`, the same in
 * every repetition): `forgotten` is the latest such moment among the forgotten, so that who asked later is not among
 * them, whatever the clocks do. Who asked before is looked up in the stream's record.
 */
export interface Memory {
  readonly recent: Table<Settled>;
  readonly older: Table<Settled>;
  readonly count: number;
  readonly generation: number;
  readonly recentAsked: number;
  readonly olderAsked: number;
  readonly forgotten: number;
}

const GENERATION = 32;

export const nothing: Memory = { recent: [], older: [], count: 0, generation: 0, recentAsked: 0, olderAsked: 0, forgotten: 0 };

/** What the stream's record said of an id that the memory did not know, and at which generation of it. */
export interface Recalled {
  readonly generation: number;
  readonly settled: readonly Settled[];
}

export const recall = (memory: Memory, id: string, recalled?: Recalled): Settled | undefined =>
  find(memory.recent, id) ?? find(memory.older, id) ?? recalled?.settled.findLast((settled) => settled.id === id);

export const remember = (memory: Memory, settled: Settled, askedAt = 0): Memory => {
  const full = memory.count === GENERATION;
  return {
    recent: put(full ? [] : memory.recent, settled),
    older: full ? memory.recent : memory.older,
    count: full ? 1 : memory.count + 1,
    generation: memory.generation + (full ? 1 : 0),
    recentAsked: full ? askedAt : Math.max(memory.recentAsked, askedAt),
    olderAsked: full ? memory.recentAsked : memory.olderAsked,
    forgotten: full ? Math.max(memory.forgotten, memory.olderAsked) : memory.forgotten,
  };
};

/** Whether an id that is not known may be one that was forgotten. Not where the record was asked since the memory last forgot. */
export const mayHaveForgotten = (memory: Memory, askedAt?: number, recalled?: Recalled): boolean =>
  memory.generation >= 2 && recalled?.generation !== memory.generation && (askedAt === undefined || askedAt <= memory.forgotten);
