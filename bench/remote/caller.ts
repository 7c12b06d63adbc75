import { Histogram } from "../load/histogram.ts";
import { MANY, type Summary, summaryId } from "./summaries.ts";

/** What a caller's process is told, and what it says. */
export interface Round {
  seconds: number;
  lanes: number;
}

export interface Called {
  answers: number;
  seconds: number;
  latencies: Uint32Array;
  max: number;
}

export type Said = { ready: true } | { called: Called } | { error: string };

/** Makes the rounds that the bench asks this process for: so many lanes, in each of which one call follows the other, of any deal. */
export const makeRounds = (call: (id: string) => Promise<Summary>): void => {
  const round = async ({ seconds, lanes }: Round): Promise<Called> => {
    const latencies = new Histogram();
    const start = performance.now();
    const end = start + seconds * 1_000;
    const lane = async () => {
      for (let now = performance.now(); now < end; ) {
        const id = summaryId(Math.floor(Math.random() * MANY));
        const found = await call(id);
        if (found.id !== id || found.status !== "open") throw new Error(`a wrong answer: ${JSON.stringify(found)}`);
        const then = performance.now();
        latencies.record((then - now) * 1_000);
        now = then;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return { answers: latencies.count, seconds: (performance.now() - start) / 1_000, latencies: latencies.counts, max: latencies.max };
  };
  const say = (said: Said) => process.send!(said);
  process.on("message", (asked: Round) =>
    round(asked).then(
      (called) => say({ called }),
      (error: Error) => say({ error: error.stack ?? error.message }),
    ),
  );
  say({ ready: true });
};
