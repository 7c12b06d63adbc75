import type { Versioned } from "../../mixins/core/model.ts";
import type { Commit, Page } from "../../mixins/storage/event-store.ts";
import type { Projection } from "../../mixins/view.sink.ts";
import type { StockEvent } from "./inventory.events.ts";
import { costOf, fromMoved, quantityOf, scaled, text, toMoved } from "./inventory.lots.ts";
import { free, inTransit, type Stock } from "./inventory.stock.ts";
import { due } from "./inventory.table.ts";

/** Which product lies in which warehouse. What there is of it changes with every line sold, and is asked of the stock itself. */
export interface Place {
  product: string;
  warehouse: string;
}

/** A stream's id as warehouse and product: no warehouse has a `~`. */
export const placeOf = (stream: string): Place => {
  const at = stream.indexOf("~");
  return { warehouse: stream.slice(0, at), product: stream.slice(at + 1) };
};

const arrived = (place: Place | undefined, _event: StockEvent, { stream }: Commit): Place => place ?? placeOf(stream);

export const places: Projection<Place, StockEvent> = {
  name: "places",
  number: 2,
  source: "inventory",
  columns: { product: ({ product }) => product, warehouse: ({ warehouse }) => warehouse },
  order: "product",
  indexes: [["warehouse", "product"]],
  on: { GoodsReceived: arrived, GoodsReturned: arrived, TransferReceived: arrived },
};

/** A stock as the API shows it at `now`. Without a version, and so without an ETag, while it shows what no version has: a reservation that has lapsed. */
export const toAnswer = (stock: Versioned<Stock>, now: number) => {
  const lapsed = due(stock.reservations, now).length > 0;
  return {
    id: stock.id,
    ...placeOf(stock.id),
    onHand: text(stock.onHand),
    reserved: text(stock.onHand - free(stock, now)),
    available: text(free(stock, now)),
    inTransit: text(inTransit(stock)),
    value: costOf(stock.lots),
    ...(!lapsed && { version: stock.version }),
  };
};

export const toFullAnswer = (stock: Versioned<Stock>, now: number) => ({ ...toAnswer(stock, now), lots: toMoved(stock.lots) });

/** A commit as lines of the ledger: how each event changed what is on hand and what is reserved, and what it cost in total. */
export const toLedger = ({ version, at, occurredAt, by, request, events }: Commit<StockEvent>) =>
  events.map((event) => ({
    type: event.type,
    id: event.id,
    ...("pick" in event && event.pick && { pick: event.pick }),
    ...effectOf(event),
    at: new Date(at).toISOString(),
    occurredAt: new Date(occurredAt).toISOString(),
    ...(by && { by }),
    ...(request && { request }),
    version,
  }));

type LedgerPlace = readonly [version: number, line: number];

/** The lines behind a place, at most `limit`, and where to go on: in the middle of a commit, or with the next one where the record had more than it told at once. */
export const toLedgerPage = (commits: Page<StockEvent>, [version, line]: LedgerPlace, limit: number) => {
  const lines = commits.flatMap((commit) =>
    toLedger(commit).map((entry, n) => ({ entry, place: [commit.version, n + 1] satisfies LedgerPlace })),
  );
  const rest = lines.filter(({ entry, place }) => entry.version > version || place[1]! > line);
  const beyond: LedgerPlace | undefined = commits.more && [commits.at(-1)!.version + 1, 0];
  return { items: rest.slice(0, limit).map(({ entry }) => entry), next: rest.length > limit ? rest[limit - 1]!.place : beyond };
};

const effectOf = (event: StockEvent): { onHand: string; reserved: string; cost?: string } => {
  switch (event.type) {
    case "GoodsReceived":
    case "GoodsReturned":
      return { onHand: event.quantity, reserved: "0", cost: costOf(fromMoved([event])) };
    case "TransferReceived":
    case "TransferSent": {
      const lots = fromMoved(event.lots);
      const quantity = quantityOf(lots);
      return { onHand: text(event.type === "TransferSent" ? -quantity : quantity), reserved: "0", cost: costOf(lots) };
    }
    case "GoodsWrittenOff":
      return { onHand: less(event.quantity), reserved: "0", cost: event.cost };
    case "GoodsIssued":
      return { onHand: less(event.quantity), reserved: less(event.quantity), cost: event.cost };
    case "GoodsReserved":
      return { onHand: "0", reserved: event.quantity };
    case "ReservationReleased":
    case "ReservationExpired":
      return { onHand: "0", reserved: less(event.quantity) };
    case "TransferCompleted":
      return { onHand: "0", reserved: "0" };
  }
};

const less = (quantity: string) => text(0 - scaled(quantity));
