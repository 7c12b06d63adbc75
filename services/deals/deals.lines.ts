import { decimal, multiplied, units } from "../../mixins/core/decimal.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import type { Header, Line, ReturnedLine, SoldLine } from "./deals.events.ts";

const IN_ANY_MONTH = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$/;
const MAX_QUANTITY = units("10000000000"); // stock takes no more of it
const MAX_AMOUNT = units("1000000000000"); // reports add up millions of lines exactly

/** A day of the calendar; `YYYY-MM-DD` alone may be the 30th of February. */
export const realDay = (date: string): string => {
  if (IN_ANY_MONTH.test(date)) return date; // most are: to ask the calendar costs fifty times as much
  try {
    return Temporal.PlainDate.from(date, { overflow: "reject" }).toString();
  } catch {
    throw new Rejected("DATE_INVALID", `${date} is no day of the calendar`);
  }
};

/** What a line comes to, in 10⁻⁸. */
export const amountOf = ({ quantity, rate }: { quantity: string; rate: string }): bigint => multiplied(quantity, rate);

/** What must come out of stock: what a line of goods wants beyond its sources. */
export const fromStock = (line: Line): bigint =>
  line.kind === "service" ? 0n : line.sources.reduce((rest, { quantity }) => rest - units(quantity), units(line.quantity));

/** The id under which a line's goods are reserved: a released one never comes back, so each confirmation has its own. */
export const reservationOf = (deal: string, attempt: number, line: string): string => `${deal}~${attempt}~${line}`;

/** What a line costs in total: its sources, and `stock` for what comes from the lots. */
export const costOf = (line: Line, stock = "0"): string => decimal(units(stock) + sourcesCost(line));

const sourcesCost = (line: Line): bigint => line.sources.reduce((sum, { quantity, cost }) => sum + multiplied(quantity, cost), 0n);

export const soldLine = (line: Line, stock?: string): SoldLine => {
  const { id, product, kind, quantity, rate } = line;
  return { id, product, kind, quantity, rate, cost: costOf(line, stock) };
};

export const sound = (lines: Line[]): Line[] => {
  if (new Set(lines.map(({ id }) => id)).size < lines.length) throw new Rejected("LINE_TWICE", "Two lines have the same id", 422);
  for (const line of lines) {
    if (sourcesCost(line) > MAX_AMOUNT) throw tooLarge(line);
    if (fromStock(soundAlone(line)) < 0n)
      throw new Rejected("SOURCES_TOO_MANY", `Line ${line.id}: its sources bring more than its quantity`);
  }
  return lines;
};

/** What holds for any line, sold or returned: stock refuses to move nothing, so a saga would ask it for ever. */
export const soundAlone = <L extends Line | ReturnedLine>(line: L): L => {
  if (line.rate.startsWith("-") && line.kind === "goods")
    throw new Rejected("RATE_NEGATIVE", `Line ${line.id}: goods are not sold below zero; use a service line to adjust`);
  const quantity = units(line.quantity);
  if (quantity === 0n) throw new Rejected("QUANTITY_ZERO", `Line ${line.id}: the quantity must be above zero`);
  const amount = multiplied(line.quantity, line.rate);
  if (quantity > MAX_QUANTITY || amount > MAX_AMOUNT || amount < -MAX_AMOUNT) throw tooLarge(line);
  return line;
};

const tooLarge = ({ id }: { id: string }) =>
  new Rejected("LINE_TOO_LARGE", `Line ${id}: at most 10,000,000,000 units and an amount of 1,000,000,000,000`);

interface Traded {
  readonly product: string;
  readonly quantity: string;
  readonly rate: string;
}

/** Whether two deals, or returns that stand alone, are the same trade, whatever has become of one of them. */
export const sameTrade = (a: Header & { lines: readonly Traded[] }, b: Header & { lines: readonly Traded[] }) =>
  a.saleParty === b.saleParty &&
  a.currency === b.currency &&
  a.date === b.date &&
  a.lines.length === b.lines.length &&
  a.lines.every(({ product, quantity, rate }, i) => {
    const line = b.lines[i]!;
    return product === line.product && quantity === line.quantity && rate === line.rate;
  });

/** Whether lines say the same, as they were put in order when they came. */
export const sameLines = (a: readonly Line[], b: readonly Line[]): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Whether a return brings back what is asked for. */
export const sameReturn = (lines: readonly ReturnedLine[], wanted: readonly { line: string; quantity: string }[]): boolean =>
  lines.length === wanted.length &&
  lines.every(({ line, quantity }, i) => line === wanted[i]!.line && units(quantity) === units(wanted[i]!.quantity));
