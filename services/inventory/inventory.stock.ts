import type { Model } from "../../mixins/core/model.ts";
import type { LotMoved, StockEvent } from "./inventory.events.ts";
import { added, costOf, fromMoved, type Lot, quantityOf, scaled, split } from "./inventory.lots.ts";
import { type Memory, nothing, remember, type Settled } from "./inventory.memory.ts";
import { due, entries, find, put, remove, type Table } from "./inventory.table.ts";

export interface Reservation {
  readonly id: string;
  /** What is still reserved, and what partial picks took already; in 10⁻⁴. */
  readonly quantity: number;
  readonly picked?: number;
  readonly until?: number;
  readonly askedAt?: number;
}

/** Goods that left here, and of which the other warehouse has not said that it has them. */
export interface Transit {
  readonly id: string;
  readonly to: string;
  readonly lots: readonly LotMoved[];
}

/** One product in one warehouse. Quantities and costs are whole numbers of 10⁻⁴. */
export interface Stock {
  readonly onHand: number;
  readonly reserved: number;
  /** What is on hand, oldest first. */
  readonly lots: readonly Lot[];
  /** Cost per unit of what left last. */
  readonly lastCost?: number;
  readonly reservations: Table<Reservation>;
  readonly transit: Table<Transit>;
  readonly settled: Memory;
}

export const stockModel: Model<Stock, StockEvent> = {
  initial: { onHand: 0, reserved: 0, lots: [], reservations: [], transit: [], settled: nothing },
  snapshot: 1,
  evolve(stock, event) {
    switch (event.type) {
      case "GoodsReceived":
        return arrived(stock, `in:${event.id}`, fromMoved([event]));
      case "GoodsReturned":
        return arrived(stock, `back:${event.id}`, fromMoved([event]));
      case "TransferReceived":
        return arrived(stock, `got:${event.id}`, fromMoved(event.lots));
      case "GoodsWrittenOff":
        return left(stock, scaled(event.quantity), { id: `off:${event.id}`, outcome: "moved", cost: event.cost });
      case "TransferSent": {
        const lots = fromMoved(event.lots);
        const sent = left(stock, quantityOf(lots), { id: `sent:${event.id}`, outcome: "moved", cost: costOf(lots) });
        return { ...sent, transit: put(stock.transit, { id: event.id, to: event.to, lots: event.lots }) };
      }
      case "TransferCompleted":
        return { ...stock, transit: remove(stock.transit, event.id) };
      case "GoodsReserved": {
        const { id, until, askedAt } = event;
        const quantity = scaled(event.quantity);
        const reservations = put(stock.reservations, { id, quantity, until, askedAt });
        return { ...stock, reserved: stock.reserved + quantity, reservations };
      }
      case "ReservationReleased":
        return freed(stock, { id: event.id, outcome: "released" }, event.askedAt);
      case "ReservationExpired":
        return freed(stock, { id: event.id, outcome: "expired" });
      case "GoodsIssued":
        return issued(stock, event.id, scaled(event.quantity), event.cost, event.pick);
      default:
        event satisfies never; // a forgotten case does not compile; one of a newer version changes nothing
        return stock;
    }
  },
};

const arrived = (stock: Stock, id: string, lots: readonly Lot[]): Stock => ({
  ...stock,
  onHand: stock.onHand + quantityOf(lots),
  lots: added(stock.lots, lots),
  settled: remember(stock.settled, { id, outcome: "moved" }),
});

const left = (stock: Stock, quantity: number, settled: Settled, askedAt?: number): Stock => {
  const { out, rest } = split(stock.lots, quantity);
  const lastCost = out.at(-1)?.cost ?? stock.lastCost;
  return { ...stock, onHand: stock.onHand - quantity, lots: rest, lastCost, settled: remember(stock.settled, settled, askedAt) };
};

const issued = (stock: Stock, id: string, quantity: number, cost: string, pick?: string): Stock => {
  const from = find(stock.reservations, id);
  if (!from) return stock;
  const after = left(stock, quantity, { id: pick ? `pick:${pick}` : id, outcome: "issued", cost }, from.askedAt);
  const rest = { ...from, quantity: from.quantity - quantity, picked: (from.picked ?? 0) + quantity };
  return {
    ...after,
    reserved: stock.reserved - quantity,
    reservations: rest.quantity > 0 ? put(stock.reservations, rest) : remove(stock.reservations, id),
    // the pick that takes the last of it settles the reservation too
    settled: pick && rest.quantity === 0 ? remember(after.settled, { id, outcome: "issued" }, from.askedAt) : after.settled,
  };
};

const freed = (stock: Stock, settled: Settled, askedAt?: number): Stock => {
  const from = find(stock.reservations, settled.id);
  return {
    ...stock,
    reserved: stock.reserved - (from?.quantity ?? 0),
    reservations: from ? remove(stock.reservations, settled.id) : stock.reservations,
    settled: remember(stock.settled, settled, askedAt ?? from?.askedAt),
  };
};

/** What can be reserved at `now`, in 10⁻⁴: reservations that have lapsed do not count, recorded or not. */
export const free = (stock: Stock, now: number): number =>
  stock.onHand - stock.reserved + due(stock.reservations, now).reduce((sum, { quantity }) => sum + quantity, 0);

export const inTransit = (stock: Stock): number => entries(stock.transit).reduce((sum, { lots }) => sum + quantityOf(fromMoved(lots)), 0);
