import { isDeepStrictEqual } from "node:util";
import { decimal, times, units } from "../../mixins/core/decimal.ts";
import { finalDeals, summary } from "./check.reads.ts";
import type { Inspected } from "./record.ts";

type Shown = ReturnType<typeof finalDeals>[number];
type TradeLine = Pick<Shown["lines"][number], "product" | "kind" | "quantity" | "rate">;

/** Lists and figures say what the record says, and a view that is made anew is the one that was there, byte for byte. */
export const checkViews = (record: Inspected): string[] => [...checkList(record), ...checkRevenue(record), ...checkRebuilt(record)];

const checkList = (record: Inspected): string[] => {
  const rows = new Map(record.list.map((row) => [row.id, row]));
  const deals = finalDeals(record);
  const breaches = deals.flatMap((deal) => {
    const expected = summary(deal);
    const row = rows.get(deal.id);
    return isDeepStrictEqual(row, expected) ? [] : [`the list has ${JSON.stringify(row)}, the record ${JSON.stringify(expected)}`];
  });
  if (record.list.length !== deals.length) breaches.push(`the list has ${record.list.length} deals, the record ${deals.length}`);
  return breaches;
};

const checkRevenue = (record: Inspected): string[] => {
  const deals = finalDeals(record);
  return Object.entries(record.revenue).flatMap(([by, told]) => {
    const expected = revenueOf(deals, by as keyof Inspected["revenue"]);
    const said = new Map(
      told.map(({ key, currency, sales, returns, cost, units }) => [`${key} ${currency}`, [sales, returns, cost, units]]),
    );
    const keys = new Set([...expected.keys(), ...said.keys()]);
    return [...keys].flatMap((key) => {
      const should = (expected.get(key) ?? NONE).map(decimal);
      const is = said.get(key) ?? NONE.map(decimal);
      return isDeepStrictEqual(is, should)
        ? []
        : [`revenue by ${by}, ${key}: sales, returns, cost, units are ${is}, by the record ${should}`];
    });
  });
};

const NONE = [0n, 0n, 0n, 0n] as const;

/** Sales, returns, cost and units of the deals that were confirmed, by their own lines. */
const revenueOf = (deals: Shown[], by: keyof Inspected["revenue"]): Map<string, bigint[]> => {
  const sums = new Map<string, bigint[]>();
  const add = (deal: Shown, day: string, line: TradeLine, cost: bigint, way: bigint) => {
    const key = { month: day.slice(0, 7), country: deal.country, customer: deal.saleParty, product: line.product }[by];
    const amount = times(units(line.quantity), units(line.rate));
    const quantity = line.kind === "goods" ? units(line.quantity) : 0n;
    const sum = sums.get(`${key} ${deal.currency}`) ?? NONE;
    const measures = way > 0n ? [amount, 0n, cost, quantity] : [0n, amount, -cost, -quantity];
    sums.set(
      `${key} ${deal.currency}`,
      measures.map((measure, i) => measure + sum[i]!),
    );
  };
  for (const deal of deals) {
    const sold = deal.status === "confirmed" || deal.status === "fulfilled" ? deal.lines : [];
    for (const line of sold) add(deal, deal.date, line, units(costOf(line)), 1n);
    for (const { date, lines } of deal.returns) for (const line of lines) add(deal, date, line, costBack(deal, line), -1n);
  }
  return sums;
};

const costOf = (line: Shown["lines"][number]): string => ("cost" in line ? line.cost : "0");

/** The part of a line's cost that comes back with its goods, to the 10⁻⁸. */
const costBack = ({ lines }: Shown, { line: of, quantity }: Shown["returns"][number]["lines"][number]): bigint => {
  const from = lines.find(({ id }) => id === of);
  return from?.kind === "goods" ? (units(costOf(from)) * units(quantity)) / units(from.quantity) : 0n;
};

const checkRebuilt = ({ views }: Pick<Inspected, "views">): string[] =>
  views.flatMap(({ view, live, rebuilt }) => {
    const at = live.findIndex((line, i) => line !== rebuilt[i]);
    if (at < 0 && live.length === rebuilt.length) return [];
    return [`${view} made anew differs: ${live[at] ?? `${live.length} lines`} became ${rebuilt[at] ?? `${rebuilt.length} lines`}`];
  });
