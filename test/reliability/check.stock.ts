import { decimal, units } from "../../mixins/core/decimal.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";
import type { StockEvent } from "../../services/inventory/inventory.events.ts";
import { quantityOf, text } from "../../services/inventory/inventory.lots.ts";
import { stockModel } from "../../services/inventory/inventory.stock.ts";
import type { Inspected } from "./record.ts";

/** A stock by its own ledger, kept apart from the room's way to fold it. */
export interface Ledger {
  stream: string;
  onHand: bigint;
  /** What is still reserved, by reservation. */
  held: Map<string, bigint>;
  /** What left, and what came back, by reservation and return. */
  issued: Map<string, bigint>;
  returned: Map<string, bigint>;
  transit: Map<string, string>;
  breaches: string[];
}

/** On hand = receipts − issues, reserved ≤ on hand, nothing below zero, at every version; each movement once; what was sent arrived. */
export const checkStock = ({ stock }: Inspected): string[] => {
  const ledgers = ledgersOf(stock);
  const breaches = [...ledgers.values()].flatMap((ledger) => ledger.breaches);
  const arrived = new Set(stock.flatMap(({ stream, events }) => events.map(({ type, id }) => `${type}:${stream}:${id}`)));
  for (const { stream, transit } of ledgers.values()) {
    for (const [id, to] of transit) breaches.push(`${stream}: transfer ${id} to ${to} is still in transit`);
  }
  for (const { stream, events } of stock) {
    for (const event of events) {
      if (event.type !== "TransferSent") continue;
      const to = `${event.to}~${stream.slice(stream.indexOf("~") + 1)}`;
      if (!arrived.has(`TransferReceived:${to}:${event.id}`)) breaches.push(`${stream}: transfer ${event.id} never arrived in ${to}`);
    }
  }
  return breaches;
};

export const ledgersOf = (stock: readonly Logged<StockEvent>[]): Map<string, Ledger> => {
  const ledgers = new Map<string, Ledger>();
  for (const [stream, commits] of Map.groupBy(stock, ({ stream }) => stream)) ledgers.set(stream, ledgerOf(stream, commits));
  return ledgers;
};

const sum = (map: Map<string, bigint>) => [...map.values()].reduce((a, b) => a + b, 0n);

const ledgerOf = (stream: string, commits: readonly Logged<StockEvent>[]): Ledger => {
  const ledger: Ledger = {
    ...{ stream, onHand: 0n, held: new Map(), issued: new Map(), returned: new Map(), transit: new Map(), breaches: [] },
  };
  const seen = new Set<string>();
  for (const { version, events } of commits) {
    const say = (what: string) => ledger.breaches.push(`${stream}@${version}: ${what}`);
    for (const event of events) {
      const pick = event.type === "GoodsIssued" ? event.pick : undefined;
      const name = `${event.type} ${event.id}${pick ? ` ${pick}` : ""}`;
      if (seen.has(name)) say(`${name} happened twice`);
      seen.add(name);
      enter(ledger, event, say);
      const reserved = sum(ledger.held);
      if (ledger.onHand < 0n) say(`${name} left ${decimal(ledger.onHand)} on hand`);
      if (reserved > ledger.onHand) say(`${name} left ${decimal(reserved)} reserved of ${decimal(ledger.onHand)} on hand`);
    }
  }
  const state = commits.flatMap(({ events }) => events).reduce(stockModel.evolve, stockModel.initial);
  const told = [state.onHand, quantityOf(state.lots), state.reserved].map(text);
  const kept = [ledger.onHand, ledger.onHand, sum(ledger.held)].map(decimal);
  if (told.join() !== kept.join()) ledger.breaches.push(`${stream}: on hand, in lots, reserved is ${told}, by its ledger ${kept}`);
  return ledger;
};

const enter = (ledger: Ledger, event: StockEvent, say: (what: string) => void) => {
  const add = (map: Map<string, bigint>, id: string, quantity: bigint) => map.set(id, (map.get(id) ?? 0n) + quantity);
  switch (event.type) {
    case "GoodsReceived":
      ledger.onHand += units(event.quantity);
      break;
    case "GoodsReturned":
      ledger.onHand += units(event.quantity);
      add(ledger.returned, event.id, units(event.quantity));
      break;
    case "GoodsWrittenOff":
      ledger.onHand -= units(event.quantity);
      break;
    case "TransferReceived":
    case "TransferSent": {
      const quantity = event.lots.reduce((total, lot) => total + units(lot.quantity), 0n);
      ledger.onHand += event.type === "TransferSent" ? -quantity : quantity;
      if (event.type === "TransferSent") ledger.transit.set(event.id, event.to);
      break;
    }
    case "TransferCompleted":
      ledger.transit.delete(event.id);
      break;
    case "GoodsReserved":
      ledger.held.set(event.id, units(event.quantity));
      break;
    case "ReservationReleased":
    case "ReservationExpired":
      if ((ledger.held.get(event.id) ?? 0n) !== units(event.quantity)) say(`${event.type} ${event.id} freed what was not held`);
      ledger.held.delete(event.id);
      break;
    case "GoodsIssued": {
      const left = (ledger.held.get(event.id) ?? 0n) - units(event.quantity);
      if (left < 0n) say(`${event.id} issued more than it held`);
      ledger.onHand -= units(event.quantity);
      add(ledger.issued, event.id, units(event.quantity));
      if (left > 0n) ledger.held.set(event.id, left);
      else ledger.held.delete(event.id);
    }
  }
};
