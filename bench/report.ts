/** One measurement of the table. `ratio`: how many times better Banyan is at this than the system; 1 on its own line. */
export interface Result {
  row: string;
  system: string;
  median: number;
  /** Of latencies in milliseconds; null where the row has none. */
  p99: number | null;
  unit: string;
  ratio: number | null;
}

/** What a row hands over: the median of its rounds, before it is compared. */
export type Measured = Omit<Result, "ratio">;

/** Units of which less is better. */
const COSTS = ["ms", "MB"];

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
};

export const compared = (measured: readonly Measured[]): Result[] =>
  measured.map((one) => {
    const ours = measured.find(({ row, system }) => row === one.row && system === "banyan")?.median;
    if (ours === undefined) return { ...one, ratio: null };
    const ratio = COSTS.includes(one.unit) ? one.median / ours : ours / one.median;
    return { ...one, ratio: Number(ratio.toPrecision(3)) };
  });

const number = (value: number | null) =>
  value === null ? "" : value.toLocaleString("en", { maximumFractionDigits: value >= 100 ? 0 : value >= 1 ? 2 : 4 });

export const tableOf = (results: readonly Result[]): string => {
  const cells = results.map(({ row, system, median, p99, unit, ratio }, i) => [
    results[i - 1]?.row === row ? "" : row,
    system,
    `${number(median)} ${unit}`,
    p99 === null ? "" : `${number(p99)} ms`,
    ratio === null ? "" : `${number(ratio)}×`,
  ]);
  const all = [["row", "system", "median", "p99", "Banyan ÷ it"], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  const line = (texts: string[]) => texts.map((text, i) => (i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join("  ");
  return [line(all[0]!), widths.map((width) => "─".repeat(width)).join("  "), ...cells.map(line)].join("\n");
};
