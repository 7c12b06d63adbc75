import { decimal, units } from "../../mixins/core/decimal.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import type { LotMoved } from "./inventory.events.ts";

/** Goods that came in at one cost per unit. Both are whole numbers of 10⁻⁴: exact below LIMIT, and JSON holds them. */
export interface Lot {
  readonly quantity: number;
  readonly cost: number;
}

/** In 10⁻⁴. Decimals of up to 15 digits go to a double and back unharmed; beyond that they would not. */
export const LIMIT = 1e15;
const SCALE = 1e4;

/** A decimal with at most 4 decimals as a whole number of 10⁻⁴. Throws `STOCK_LIMIT` where it is too large to be exact. */
export const scaled = (text: string): number => {
  const value = Math.round(Number(text) * SCALE);
  if (value < LIMIT) return value;
  throw new Rejected("STOCK_LIMIT", "Quantities and costs go up to 99999999999.9999");
};

/** The canonical decimal of a whole number of 10⁻⁴ below LIMIT. */
export const text = (value: number): string => String(value / SCALE);

/** The lots with others behind them; one that costs as much as the last is put to it. */
export const added = (lots: readonly Lot[], more: readonly Lot[]): readonly Lot[] => {
  const all = [...lots];
  for (const lot of more) {
    const last = all.at(-1);
    if (last?.cost === lot.cost) all[all.length - 1] = { quantity: last.quantity + lot.quantity, cost: lot.cost };
    else all.push(lot);
  }
  return all;
};

/** First in, first out: what leaves when `quantity` does, and what stays. */
export const split = (lots: readonly Lot[], quantity: number): { out: Lot[]; rest: readonly Lot[] } => {
  const out: Lot[] = [];
  let wanted = quantity;
  let first = 0;
  for (; wanted > 0; first++) {
    const lot = lots[first];
    if (!lot) throw new RangeError("More leaves than there is");
    const taken = Math.min(wanted, lot.quantity);
    out.push({ quantity: taken, cost: lot.cost });
    wanted -= taken;
    if (taken < lot.quantity) return { out, rest: [{ quantity: lot.quantity - taken, cost: lot.cost }, ...lots.slice(first + 1)] };
  }
  return { out, rest: lots.slice(first) };
};

/** What `quantity` costs once `before` has left. */
export const costAfter = (lots: readonly Lot[], before: number, quantity: number): string => {
  let total = 0n;
  let skip = before;
  let wanted = quantity;
  for (const lot of lots) {
    const taken = Math.max(0, Math.min(wanted, lot.quantity - skip));
    skip = Math.max(0, skip - lot.quantity);
    wanted -= taken;
    if (taken > 0) total += BigInt(taken) * BigInt(lot.cost);
    if (wanted === 0) break;
  }
  return decimal(total);
};

/** What the lots cost in total. */
export const costOf = (lots: readonly Lot[]): string =>
  decimal(lots.reduce((sum, lot) => sum + BigInt(lot.quantity) * BigInt(lot.cost), 0n));

/** Lots of this quantity that cost exactly this in total: one, or two whose costs per unit are next to each other. */
export const evenly = (quantity: number, total: string): Lot[] => {
  const [each, over] = [units(total) / BigInt(quantity), units(total) % BigInt(quantity)].map(Number) as [number, number];
  const lots = [
    { quantity: quantity - over, cost: each },
    { quantity: over, cost: each + 1 },
  ];
  return lots.filter((lot) => lot.quantity > 0);
};

export const quantityOf = (lots: readonly Lot[]): number => lots.reduce((sum, lot) => sum + lot.quantity, 0);

export const toMoved = (lots: readonly Lot[]): LotMoved[] =>
  lots.map(({ quantity, cost }) => ({ quantity: text(quantity), cost: text(cost) }));

export const fromMoved = (lots: readonly LotMoved[]): Lot[] =>
  lots.map(({ quantity, cost }) => ({ quantity: scaled(quantity), cost: scaled(cost) }));
