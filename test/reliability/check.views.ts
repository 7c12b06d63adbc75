import { isDeepStrictEqual } from "node:util";
import { decimal, times, units } from "../../mixins/core/decimal.ts";
import { finalDeals, summary } from "./check.reads.ts";
import type { Inspected } from "./record.ts";

type Shown = ReturnType<typeof finalDeals>[number];

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
    const said = new Map(told.map(({ key, currency, sales, returns, units }) => [`${key} ${currency}`, [sales, returns, units]]));
    const keys = new Set([...expected.keys(), ...said.keys()]);
    return [...keys].flatMap((key) => {
      const should = (expected.get(key) ?? [0n, 0n, 0n]).map(decimal);
      const is = said.get(key) ?? ["0", "0", "0"];
      return isDeepStrictEqual(is, should) ? [] : [`revenue by ${by}, ${key}: sales, returns, units are ${is}, by the record ${should}`];
    });
  });
};

const revenueOf = (deals: Shown[], by: keyof Inspected["revenue"]): Map<string, [bigint, bigint, bigint]> => {
  const sums = new Map<string, [bigint, bigint, bigint]>();
  const add = (deal: Shown, day: string, lines: readonly Shown["returns"][number]["lines"][number][], way: bigint) => {
    for (const { product, kind, quantity, rate } of lines) {
      const key = { month: day.slice(0, 7), country: deal.country, customer: deal.saleParty, product }[by];
      const sum = sums.get(`${key} ${deal.currency}`) ?? [0n, 0n, 0n];
      sum[way > 0n ? 0 : 1] += times(units(quantity), units(rate));
      if (kind === "goods") sum[2] += way * units(quantity);
      sums.set(`${key} ${deal.currency}`, sum);
    }
  };
  for (const deal of deals) {
    if (deal.status === "confirmed" || deal.status === "fulfilled") add(deal, deal.date, deal.lines, 1n);
    for (const { date, lines } of deal.returns) add(deal, date, lines, -1n);
  }
  return sums;
};

const checkRebuilt = ({ views }: Pick<Inspected, "views">): string[] =>
  views.flatMap(({ view, live, rebuilt }) => {
    const at = live.findIndex((line, i) => line !== rebuilt[i]);
    if (at < 0 && live.length === rebuilt.length) return [];
    return [`${view} made anew differs: ${live[at] ?? `${live.length} lines`} became ${rebuilt[at] ?? `${rebuilt.length} lines`}`];
  });
