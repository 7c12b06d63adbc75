import { Histogram } from "../../load/histogram.ts";
import { type Measured, median } from "../../report.ts";

const ROUNDS = 5;
const MS = 1_500;

/** Does one thing, as often as `again` says so, and tells how long each took. */
export type Work = (again: () => boolean, took: (ms: number) => void) => Promise<void>;

/** Several works in turn, round by round, after a round that warms them up; prints what they did per second. */
export const printRounds = async (row: string, works: Record<string, Work>) => {
  const seen = Object.entries(works).map(([system, work]) => ({ system, work, rates: [] as number[], latencies: new Histogram() }));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { system, work, rates, latencies } of seen) {
      let count = 0;
      const cpu = process.cpuUsage();
      const start = performance.now();
      await work(
        () => performance.now() < start + MS,
        (ms) => {
          count++;
          if (round > 0) latencies.record(ms * 1_000);
        },
      );
      const { user, system: kernel } = process.cpuUsage(cpu);
      console.error(`${row}: round ${round}, ${system}, ${((user + kernel) / count).toFixed(1)} µs of CPU each`);
      if (round > 0) rates.push(count / ((performance.now() - start) / 1_000));
    }
  }
  const measured: Measured[] = seen.map(({ system, rates, latencies }) => ({
    ...{ row, system, median: median(rates), p99: latencies.percentile(0.99), unit: "/s" },
  }));
  console.log(JSON.stringify(measured));
};
