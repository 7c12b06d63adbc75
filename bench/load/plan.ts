import type { DealRequest } from "../deals.ts";

/** Something to read: where, and a piece of text that a right answer has. */
export interface Ask {
  path: string;
  marker: string;
}

/** What kind of request the client sends; reads are of seeded deals, `mixed` is nine reads and one creation. */
export type Work =
  | { kind: "create"; lines: number }
  | { kind: "get"; deals: number }
  | { kind: "list" }
  | { kind: "ask"; asks: Ask[] }
  | { kind: "mixed"; deals: number }
  | { kind: "post"; deals: DealRequest[] };

/** One measurement. Without `rate` each connection asks again once it is answered; with it requests arrive so many a second, whatever becomes of those before. */
export interface Plan {
  port: number;
  connections: number;
  seconds: number;
  rate?: number;
  work: Work;
  /** node:http gives its one answer to everything, with 200. */
  anything?: boolean;
}

export interface Outcome {
  answers: number;
  seconds: number;
  /** Buckets of a `Histogram`, and the longest in microseconds. */
  latencies: Uint32Array;
  max: number;
  /** The share of a core that the client took: near 1, and it is what was measured. */
  busy: number;
  /** The ids of some deals that it created, to be read back. */
  created: string[];
}

export type Reply = { outcome: Outcome } | { error: string };
