import { Rejected } from "../../mixins/core/errors.ts";
import type { LotMoved, StockEvent } from "./inventory.events.ts";
import {
  added,
  costAfter,
  costOf,
  evenly,
  fromMoved,
  LIMIT,
  type Lot,
  quantityOf,
  scaled,
  split,
  text,
  toMoved,
} from "./inventory.lots.ts";
import { mayHaveForgotten, type Recalled, recall, type Settled } from "./inventory.memory.ts";
import { type Stock, stockModel } from "./inventory.stock.ts";
import { due, entries, find, size } from "./inventory.table.ts";

/** What a reservation's own events say of it, and of one pick of it. */
export const settledIn = (events: Iterable<StockEvent>, id: string, pick?: string): Settled[] => {
  const found: Settled[] = [];
  let open = 0;
  for (const event of events) {
    if (event.type === "GoodsReserved") open = scaled(event.quantity);
    if (event.type === "ReservationReleased") found.push({ id, outcome: "released" });
    if (event.type === "ReservationExpired") found.push({ id, outcome: "expired" });
    if (event.type === "GoodsIssued") {
      open -= scaled(event.quantity);
      if (event.pick && event.pick === pick) found.push({ id: `pick:${pick}`, outcome: "issued", cost: event.cost });
      if (open === 0) found.push({ id, outcome: "issued", cost: event.pick ? undefined : event.cost });
    }
  }
  return found;
};

/** What follows from a request, with the cost of what it moves. `unsure`: only the stream's record knows whether it came before. */
export type Decision = { readonly events: readonly StockEvent[]; readonly cost?: string; readonly unsure?: true };

/** Looks at the stock and decides, or throws `Rejected`. What came before under the same id answers as it did, and changes nothing. */
export type Request = (stock: Stock) => Decision;

const MAX_LOTS = 10_000; // of a stock on hand, and of what it sent and nobody has yet: a state has an end, however small its parts
const MAX_RESERVATIONS = 50_000;

const DONE: Decision = { events: [] };
const UNSURE: Decision = { events: [], unsure: true };

export interface Reserving {
  id: string;
  quantity: string;
  until?: number;
  /** When the caller first asked, the same in every repetition (see `Memory`). Without it a repeat is known among the latest only. */
  askedAt?: number;
  recalled?: Recalled;
}

/** Answers the FIFO cost to expect: of what leaves next, once all that is reserved already has left. */
export function reserve({ id, quantity, until, askedAt, recalled }: Reserving): Request {
  return (stock) => {
    const wanted = positive(quantity);
    const live = find(stock.reservations, id);
    if (live) {
      if (live.quantity + (live.picked ?? 0) !== wanted) {
        throw new Rejected("RESERVATION_EXISTS", "A reservation of another quantity has this id", 409);
      }
      return { events: [], cost: costAfter(stock.lots, stock.reserved - live.quantity, live.quantity) };
    }
    const before = recall(stock.settled, id, recalled);
    if (before?.outcome === "issued") return { events: [], cost: before.cost };
    if (before) throw spent(before.outcome);
    if (askedAt !== undefined && mayHaveForgotten(stock.settled, askedAt, recalled)) return UNSURE;
    requireFree(stock, wanted);
    if (size(stock.reservations) >= MAX_RESERVATIONS)
      throw new Rejected("RESERVATIONS_FULL", `A stock keeps ${MAX_RESERVATIONS} reservations`);
    const cost = costAfter(stock.lots, stock.reserved, wanted);
    return { events: [{ type: "GoodsReserved", id, quantity: text(wanted), until, askedAt }], cost };
  };
}

export interface Releasing {
  id: string;
  /** What the reservation was asked with. */
  askedAt?: number;
  recalled?: Recalled;
}

/**
 * Frees what is still reserved. An id that was never seen is released as well, so that the reservation that the caller
 * gave up is refused should it still arrive; `now` stands in where the caller does not say when it had asked for it.
 */
export function release({ id, askedAt, recalled }: Releasing, now: number): Request {
  return ({ reservations, settled }) => {
    const live = find(reservations, id);
    if (live) return { events: [{ type: "ReservationReleased", id, quantity: text(live.quantity) }] };
    const before = recall(settled, id, recalled);
    if (before?.outcome === "issued") throw new Rejected("RESERVATION_ISSUED", "The goods have left: take them back instead");
    if (before) return DONE;
    if (mayHaveForgotten(settled, askedAt, recalled)) return UNSURE;
    return { events: [{ type: "ReservationReleased", id, quantity: "0", askedAt: askedAt ?? now }] };
  };
}

export interface Issuing {
  /** The reservation. */
  id: string;
  /** All that is still reserved where it is not given; a part needs a `pick` id of its own, and leaves the rest reserved. */
  quantity?: string;
  pick?: string;
  /** What the reservation was asked with. */
  askedAt?: number;
  recalled?: Recalled;
}

/** The goods of a reservation leave. Answers their FIFO cost. */
export function issue({ id, quantity, pick, askedAt, recalled }: Issuing): Request {
  return ({ reservations, settled, lots }) => {
    const picked = pick && recall(settled, `pick:${pick}`, recalled);
    if (picked) return { events: [], cost: picked.cost };
    const live = find(reservations, id);
    if (pick && mayHaveForgotten(settled, live ? live.askedAt : askedAt, recalled)) return UNSURE;
    if (!live) {
      const before = recall(settled, id, recalled);
      if (before?.outcome === "issued" && !pick) return { events: [], cost: before.cost };
      if (before) throw spent(before.outcome);
      if (mayHaveForgotten(settled, askedAt, recalled)) return UNSURE;
      throw new Rejected("RESERVATION_NOT_FOUND", "There is no such reservation", 404);
    }
    const wanted = quantity === undefined ? live.quantity : positive(quantity);
    if (wanted > live.quantity) throw new Rejected("PICK_TOO_LARGE", `Only ${text(live.quantity)} are reserved`);
    if (wanted < live.quantity && !pick) throw new Rejected("PICK_ID_MISSING", "A pick of a part needs an id of its own");
    const cost = costAfter(lots, 0, wanted);
    return { events: [{ type: "GoodsIssued", id, quantity: text(wanted), cost, pick }], cost };
  };
}

/** Goods leave at once: reserved and issued in one, for what has happened already. Answers their FIFO cost. */
export function take({ id, quantity, askedAt, recalled }: Reserving): Request {
  return (stock) => {
    const { events, cost, unsure } = reserve({ id, quantity, askedAt, recalled })(stock);
    if (unsure || (events.length === 0 && !find(stock.reservations, id))) return { events, cost, unsure };
    const leaving = costAfter(stock.lots, 0, positive(quantity));
    return { events: [...events, { type: "GoodsIssued", id, quantity: text(positive(quantity)), cost: leaving }], cost: leaving };
  };
}

/** Undoes a `take`: what left comes back at what it cost, to the 10⁻⁸, and one that arrives late is refused. */
export function giveBack({ id, quantity, askedAt, recalled }: Reserving, now: number): Request {
  return (stock) => {
    const before = recall(stock.settled, id, recalled);
    if (before?.outcome !== "issued") return release({ id, askedAt, recalled }, now)(stock);
    const lots = evenly(positive(quantity), before.cost ?? "0");
    const back = lots.map(({ quantity, cost }, n): StockEvent => {
      return { type: "GoodsReturned", id: n === 0 ? id : `${id}~~${n}`, quantity: text(quantity), cost: text(cost) };
    });
    return { events: [...back, { type: "ReservationReleased", id, quantity: "0", askedAt }] };
  };
}

export function receive(id: string, quantity: string, cost: string): Request {
  return (stock) => {
    if (recall(stock.settled, `in:${id}`)) return DONE;
    const lot = { quantity: positive(quantity), cost: scaled(cost) };
    requirePlace(stock, [lot]);
    return { events: [{ type: "GoodsReceived", id, quantity: text(lot.quantity), cost: text(lot.cost) }] };
  };
}

/** Without a cost per unit, goods come back at what they last left at, or else at what the newest lot cost. */
export function takeBack(id: string, quantity: string, cost?: string): Request {
  return (stock) => {
    if (recall(stock.settled, `back:${id}`)) return DONE;
    const each = cost === undefined ? (stock.lastCost ?? stock.lots.at(-1)?.cost ?? 0) : scaled(cost);
    const lot = { quantity: positive(quantity), cost: each };
    requirePlace(stock, [lot]);
    return { events: [{ type: "GoodsReturned", id, quantity: text(lot.quantity), cost: text(lot.cost) }] };
  };
}

/** Goods that are lost, broken or gone. What is reserved is not written off: release it first. */
export function writeOff(id: string, quantity: string, reason?: string): Request {
  return (stock) => {
    const before = recall(stock.settled, `off:${id}`);
    if (before) return { events: [], cost: before.cost };
    const wanted = positive(quantity);
    requireFree(stock, wanted);
    const cost = costAfter(stock.lots, 0, wanted);
    return { events: [{ type: "GoodsWrittenOff", id, quantity: text(wanted), cost, reason }], cost };
  };
}

export function send(id: string, to: string, quantity: string): Request {
  return (stock) => {
    const before = recall(stock.settled, `sent:${id}`);
    if (before) return { events: [], cost: before.cost };
    if (find(stock.transit, id)) return DONE;
    const wanted = positive(quantity);
    requireFree(stock, wanted);
    const { out } = split(stock.lots, wanted);
    const onTheirWay = entries(stock.transit).reduce((sum, { lots }) => sum + lots.length, out.length);
    if (onTheirWay > MAX_LOTS) throw new Rejected("TRANSIT_FULL", "Too much that left here has not arrived yet");
    return { events: [{ type: "TransferSent", id, to, lots: toMoved(out) }], cost: costOf(out) };
  };
}

export function arrive(id: string, from: string, lots: readonly LotMoved[]): Request {
  return (stock) => {
    if (recall(stock.settled, `got:${id}`)) return DONE;
    requirePlace(stock, fromMoved(lots));
    return { events: [{ type: "TransferReceived", id, from, lots: [...lots] }] };
  };
}

export function complete(id: string): Request {
  return (stock) => (find(stock.transit, id) ? { events: [{ type: "TransferCompleted", id }] } : DONE);
}

export type Outcome =
  | { readonly ok: true; readonly cost?: string }
  | { readonly ok: false; readonly refusal: Rejected }
  | { readonly unsure: number };

/**
 * Decides requests one after another, each on what those before it left; a refused one does not stop the others.
 * First of all, reservations that have lapsed by `now` are recorded as expired: their goods are free.
 */
export const decide = (stock: Stock, requests: readonly Request[], now: number): { events: StockEvent[]; outcomes: Outcome[] } => {
  const events: StockEvent[] = due(stock.reservations, now).map(({ id, quantity }) => expired(id, quantity));
  let current = events.reduce(stockModel.evolve, stock);
  const outcomes = requests.map((request, n): Outcome => {
    try {
      const decision = request(current);
      if (decision.unsure) return { unsure: current.settled.generation };
      events.push(...decision.events);
      if (n < requests.length - 1) current = decision.events.reduce(stockModel.evolve, current);
      return { ok: true, cost: decision.cost };
    } catch (error) {
      if (error instanceof Rejected) return { ok: false, refusal: error };
      throw error;
    }
  });
  return { events, outcomes };
};

const expired = (id: string, quantity: number): StockEvent => ({ type: "ReservationExpired", id, quantity: text(quantity) });

const requireFree = (stock: Stock, wanted: number) => {
  const available = stock.onHand - stock.reserved;
  if (wanted > available) throw new Rejected("STOCK_SHORT", `Only ${text(available)} are free`, 422, { available: text(available) });
};

const requirePlace = ({ onHand, lots }: Stock, more: readonly Lot[]) => {
  if (onHand + quantityOf(more) >= LIMIT) throw new Rejected("STOCK_LIMIT", "One warehouse holds up to 99999999999.9999 of a product");
  if (lots.length + more.length > MAX_LOTS && added(lots, more).length > Math.max(MAX_LOTS, lots.length))
    throw new Rejected("LOTS_FULL", `A stock keeps ${MAX_LOTS} lots of different costs: goods at the cost of the last go to it`);
};

const positive = (quantity: string): number => {
  const value = scaled(quantity);
  if (value > 0) return value;
  throw new Rejected("QUANTITY_ZERO", "A quantity must be more than zero");
};

const spent = (outcome: Settled["outcome"]): Rejected => {
  if (outcome === "released") return new Rejected("RESERVATION_RELEASED", "This reservation was released");
  if (outcome === "expired") return new Rejected("RESERVATION_EXPIRED", "This reservation has lapsed: reserve again under a new id");
  return new Rejected("RESERVATION_ISSUED", "The goods of this reservation have left");
};
