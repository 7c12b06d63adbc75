import { multiplied, units } from "../../mixins/core/decimal.ts";

/** What one line added: its product, and units of goods, amount and cost as whole numbers of 10⁻⁸ in decimal digits. */
export type Share = readonly [product: string, units: string, amount: string, cost: string, line?: string];

/** What one deal adds to the figures, by the day on which it did. A customer that moves changes nothing here: the country is the deal's own. */
export interface Contribution {
  readonly customer: string;
  readonly country: string;
  readonly currency: string;
  readonly sold?: { readonly day: string; readonly shares: readonly Share[] };
  readonly returned: readonly { readonly day: string; readonly shares: readonly Share[] }[];
}

export interface Figure {
  readonly dimension: string;
  readonly key: string;
  readonly currency: string;
  readonly measures: readonly bigint[];
}

export const DIMENSIONS = ["all", "country", "customer", "product"] as const;
export const MEASURES = ["sales", "returns", "cost", "units"] as const;

interface TradeLine {
  id: string;
  product: string;
  kind: "goods" | "service";
  quantity: string;
  rate: string;
}

const shareOf = ({ id, product, kind, quantity, rate }: TradeLine, cost: bigint): Share => {
  const amount = multiplied(quantity, rate);
  return [product, String(kind === "goods" ? units(quantity) : 0n), String(amount), String(cost), id];
};

export const soldShares = (lines: readonly (TradeLine & { cost: string })[]): Share[] =>
  lines.map((line) => shareOf(line, units(line.cost)));

/** What came back takes its part of the line's cost with it, to the 10⁻⁸; what goes back to no line that we know takes none. */
export const returnedShares = (lines: readonly (TradeLine & { line?: string })[], sold: readonly Share[] = []): Share[] => {
  const shares = new Map(sold.map((share) => [share[4], share]));
  return lines.map((line) => {
    const from = line.line === undefined ? undefined : shares.get(line.line);
    return shareOf(line, from && from[1] !== "0" ? (BigInt(from[3]) * units(line.quantity)) / BigInt(from[1]) : 0n);
  });
};

export const withCosts = (shares: readonly Share[], costs: readonly { line: string; cost: string }[]): Share[] => {
  const known = new Map(costs.map(({ line, cost }) => [line, units(cost)]));
  return shares.map(([product, quantity, amount, cost, line]) => [product, quantity, amount, String(known.get(line!) ?? cost), line]);
};

/** What the contributions of one day add up to, in each dimension. */
export const figuresOf = (contributions: Iterable<Contribution>, day: string): Iterable<Figure> => {
  const sums = new Map<string, Figure & { measures: bigint[] }>();
  const add = (dimension: string, key: string, currency: string, measures: readonly bigint[]) => {
    const id = `${dimension} ${currency} ${key}`;
    const sum = sums.get(id);
    if (!sum) sums.set(id, { dimension, key, currency, measures: [...measures] });
    else for (const [i, measure] of measures.entries()) sum.measures[i]! += measure;
  };
  for (const { customer, country, currency, sold, returned } of contributions) {
    const parts = [
      ...(sold?.day === day ? [{ shares: sold.shares, way: 1n }] : []),
      ...returned.filter((r) => r.day === day).map(({ shares }) => ({ shares, way: -1n })),
    ];
    for (const { shares, way } of parts) {
      const total = [0n, 0n, 0n, 0n];
      for (const [product, quantity, amount, cost] of shares) {
        const value = BigInt(amount);
        const measures = [way > 0n ? value : 0n, way > 0n ? 0n : value, way * BigInt(cost), way * BigInt(quantity)];
        for (const [i, measure] of measures.entries()) total[i]! += measure;
        add("product", product, currency, measures);
      }
      add("all", "all", currency, total);
      add("country", country, currency, total);
      add("customer", customer, currency, total);
    }
  }
  return sums.values();
};
