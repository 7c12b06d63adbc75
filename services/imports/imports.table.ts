import { decimal } from "../../mixins/core/decimal.ts";
import { CURRENCY } from "./imports.mapping.ts";
import { count } from "./imports.progress.ts";
import type { Outcome } from "./imports.run.ts";

/** What an import did, for people: a line for each kind of thing, how many, and what it comes to. */
export const tableOf = (outcome: Outcome, seconds: number): string => {
  const { deals, returns, adjustments } = outcome;
  const rows: [string, string, string?][] = [
    ["deals", count(deals.count), grouped(deals.amount)],
    ["returns", count(returns.count), grouped(returns.amount)],
    ["adjustments", count(adjustments.count), grouped(adjustments.amount)],
    ["write-offs", count(outcome.writeOffs)],
    ["products", count(outcome.products)],
    ["customers", count(outcome.customers)],
    ["rejects", count(outcome.rejects)],
    ["lines", count(outcome.lines)],
    ["… of no known customer", count(outcome.unknown)],
    ["seconds", seconds.toFixed(1)],
    ["most memory, MB", count(Math.round(process.resourceUsage().maxRSS / 1e3))],
    [`revenue ${CURRENCY}`, "", grouped(revenueIn(outcome))],
  ];
  const wide = (column: 0 | 1 | 2) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows
    .map(([name, number, amount = ""]) => `${name.padEnd(wide(0))}  ${number.padStart(wide(1))}  ${amount.padStart(wide(2))}`.trimEnd())
    .join("\n");
};

export const revenueIn = ({ deals, returns, adjustments }: Outcome): bigint => deals.amount + returns.amount + adjustments.amount;

/** A decimal with its thousands apart: `9,747,747.934`. */
const grouped = (value: bigint) => decimal(value).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
