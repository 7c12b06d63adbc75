const SUB = 128; // steps within each power of two: less than 1 % of error
const LEVELS = 32;

/** Latencies in microseconds, counted in a fixed number of buckets: recording costs an addition, however many there are. */
export class Histogram {
  readonly counts: Uint32Array;
  count: number;
  max: number;

  constructor(counts: Uint32Array = new Uint32Array(LEVELS * SUB), count = 0, max = 0) {
    this.counts = counts;
    this.count = count;
    this.max = max;
  }

  record(micros: number) {
    const value = Math.max(0, Math.round(micros));
    const level = Math.max(0, 31 - Math.clz32(value) - 6);
    this.counts[level * SUB + (value >>> level)]!++;
    this.count++;
    if (value > this.max) this.max = value;
  }

  add(other: Histogram) {
    for (const [i, count] of other.counts.entries()) this.counts[i]! += count;
    this.count += other.count;
    this.max = Math.max(this.max, other.max);
  }

  /** The latency in milliseconds that this share (0.99) of all did not exceed. */
  percentile(share: number): number {
    let left = Math.ceil(this.count * share);
    for (const [i, count] of this.counts.entries()) {
      left -= count;
      if (left <= 0) return (i % SUB) * 2 ** Math.floor(i / SUB) * 1e-3;
    }
    return 0;
  }
}
