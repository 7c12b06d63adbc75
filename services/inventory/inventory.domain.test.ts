import assert from "node:assert/strict";
import { test } from "node:test";
import { freeze } from "../../mixins/core/freeze.ts";
import {
  arrive,
  complete,
  decide,
  giveBack,
  issue,
  type Outcome,
  type Request,
  receive,
  release,
  reserve,
  send,
  settledIn,
  take,
  takeBack,
  writeOff,
} from "./inventory.domain.ts";
import type { StockEvent } from "./inventory.events.ts";
import { scaled, text } from "./inventory.lots.ts";
import { free, inTransit, type Stock, stockModel } from "./inventory.stock.ts";
import { entries } from "./inventory.table.ts";

const NOW = 1_000_000;
const received = (id: string, quantity: string, cost: string): StockEvent => ({ type: "GoodsReceived", id, quantity, cost });
const reserved = (id: string, quantity: string, until?: number): StockEvent => ({ type: "GoodsReserved", id, quantity, until });
const after = (...events: StockEvent[]): Stock => events.reduce(stockModel.evolve, stockModel.initial);

/** Decides one request, and answers with the stock that it leaves, as the disk would give it back. */
const next = (stock: Stock, request: Request, now = NOW): { stock: Stock; events: StockEvent[]; outcome: Outcome } => {
  const { events, outcomes } = decide(stock, [request], now);
  const stored = freeze(JSON.parse(JSON.stringify(events)) as StockEvent[]);
  return { stock: freeze(stored.reduce(stockModel.evolve, stock)), events: stored, outcome: outcomes[0]! };
};
const costOf = (stock: Stock, request: Request): string | undefined => {
  const { outcome } = next(stock, request);
  assert.ok("ok" in outcome && outcome.ok);
  return outcome.cost;
};
const reasonOf = (stock: Stock, request: Request, now = NOW): string | undefined => {
  const { outcome } = next(stock, request, now);
  return "ok" in outcome && !outcome.ok ? outcome.refusal.type : undefined;
};
/** So many others settled that what was settled before them is forgotten. */
const busy = (stock: Stock, askedAt: number): Stock => {
  let current = stock;
  for (let n = 0; n < 400; n++) {
    current = stockModel.evolve(current, { type: "GoodsReserved", id: `other${n}`, quantity: "1", askedAt });
    current = stockModel.evolve(current, { type: "ReservationReleased", id: `other${n}`, quantity: "1" });
  }
  return current;
};

test("two buyers want the last tonne: one gets it, and the other hears what is left", () => {
  const stock = after(received("r1", "1", "800"));
  const { events, outcomes } = decide(stock, [reserve({ id: "a", quantity: "1" }), reserve({ id: "b", quantity: "1" })], NOW);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["GoodsReserved"],
  );
  assert.deepEqual(outcomes[0], { ok: true, cost: "800" });
  assert.ok("ok" in outcomes[1]! && !outcomes[1].ok);
  assert.equal(outcomes[1].refusal.type, "STOCK_SHORT");
  assert.deepEqual(outcomes[1].refusal.data, { available: "0" });
});

test("the oldest goods leave first, each at what it cost", () => {
  const stock = after(received("r1", "10", "1.5"), received("r2", "10", "2"), reserved("a", "12"));
  const { stock: rest, events } = next(stock, issue({ id: "a" }));
  assert.deepEqual(events, [{ type: "GoodsIssued", id: "a", quantity: "12", cost: "19" }]);
  assert.deepEqual(rest.lots, [{ quantity: scaled("8"), cost: scaled("2") }]);
});

test("a reservation hears the cost of what comes after all that is reserved already", () => {
  const stock = after(received("r1", "10", "1"), received("r2", "10", "3"), reserved("a", "8"));
  assert.equal(costOf(stock, reserve({ id: "b", quantity: "4" })), "8"); // two at 1, two at 3
  assert.equal(costOf(stock, reserve({ id: "a", quantity: "8" })), "8");
});

test("lots of equal cost that stand next to each other are one", () => {
  assert.equal(after(received("r1", "1", "2"), received("r2", "3", "2"), received("r3", "1", "2.5")).lots.length, 2);
});

test("a pick of a part leaves the rest reserved, needs its own id, and repeated takes nothing more", () => {
  const stock = after(received("r1", "10", "1"), reserved("a", "6"));
  assert.equal(reasonOf(stock, issue({ id: "a", quantity: "2" })), "PICK_ID_MISSING");
  assert.equal(reasonOf(stock, issue({ id: "a", quantity: "7", pick: "p1" })), "PICK_TOO_LARGE");
  const { stock: picked } = next(stock, issue({ id: "a", quantity: "2", pick: "p1" }));
  assert.deepEqual([text(picked.onHand), text(picked.reserved)], ["8", "4"]);
  assert.deepEqual(next(picked, issue({ id: "a", quantity: "2", pick: "p1" })).events, []);
  assert.deepEqual(next(picked, reserve({ id: "a", quantity: "6" })).events, []);
  const { stock: gone } = next(picked, issue({ id: "a" }));
  assert.deepEqual([text(gone.onHand), text(gone.reserved)], ["4", "0"]);
});

test("what was reserved under an id is not reserved again in another quantity", () => {
  assert.equal(reasonOf(after(received("r1", "10", "1"), reserved("a", "6")), reserve({ id: "a", quantity: "7" })), "RESERVATION_EXISTS");
});

test("a reservation that was given up before it arrived is refused when it does", () => {
  const { stock } = next(after(received("r1", "10", "1")), release({ id: "late" }, NOW));
  assert.equal(reasonOf(stock, reserve({ id: "late", quantity: "1" })), "RESERVATION_RELEASED");
  assert.deepEqual(next(stock, release({ id: "late" }, NOW)).events, []);
});

test("goods that have left are not released, and a reservation that was released does not leave", () => {
  const stock = after(received("r1", "10", "1"), reserved("a", "1"), reserved("b", "1"));
  assert.equal(reasonOf(next(stock, issue({ id: "a" })).stock, release({ id: "a" }, NOW)), "RESERVATION_ISSUED");
  assert.equal(reasonOf(next(stock, release({ id: "b" }, NOW)).stock, issue({ id: "b" })), "RESERVATION_RELEASED");
});

test("a lapsed reservation counts as free from its time on, and is recorded when the stock is next touched", () => {
  const stock = after(received("r1", "10", "1"), reserved("a", "6", NOW), reserved("b", "4"));
  assert.equal(text(free(stock, NOW - 1)), "0");
  assert.equal(text(free(stock, NOW)), "6");
  assert.equal(reasonOf(stock, reserve({ id: "c", quantity: "6" }), NOW - 1), "STOCK_SHORT");
  const { stock: later, events } = next(stock, reserve({ id: "c", quantity: "6" }));
  assert.deepEqual(
    events.map(({ type }) => type),
    ["ReservationExpired", "GoodsReserved"],
  );
  assert.equal(reasonOf(stock, issue({ id: "a" })), "RESERVATION_EXPIRED");
  assert.equal(reasonOf(later, reserve({ id: "a", quantity: "6" })), "RESERVATION_EXPIRED");
});

test("what left at once comes back at what it cost, to the last part, and once; its sale is refused should it still arrive", () => {
  const stock = after(received("r1", "1", "0.0001"), received("r2", "2", "3"));
  const sold = next(stock, take({ id: "a", quantity: "3" }));
  assert.deepEqual([sold.stock.onHand, sold.stock.reserved, sold.events.at(-1)!.type], [0, 0, "GoodsIssued"]);
  assert.equal(costOf(sold.stock, take({ id: "a", quantity: "3" })), "6.0001", "again it is the same sale");
  const back = next(sold.stock, giveBack({ id: "a", quantity: "3" }, NOW));
  assert.equal(costOf(back.stock, take({ id: "b", quantity: "3" })), "6.0001");
  assert.deepEqual(next(back.stock, giveBack({ id: "a", quantity: "3" }, NOW)).events, []);
  assert.equal(reasonOf(back.stock, take({ id: "a", quantity: "3" })), "RESERVATION_RELEASED");
  const early = next(stock, giveBack({ id: "late", quantity: "1" }, NOW));
  assert.equal(reasonOf(early.stock, take({ id: "late", quantity: "1" })), "RESERVATION_RELEASED");
  assert.equal(reasonOf(stock, take({ id: "c", quantity: "4" })), "STOCK_SHORT");
});

test("what is reserved is not written off", () => {
  const stock = after(received("r1", "10", "1"), reserved("a", "6"));
  assert.equal(reasonOf(stock, writeOff("w", "5")), "STOCK_SHORT");
  assert.equal(costOf(stock, writeOff("w", "4")), "4");
});

test("goods come back at what they last left at, unless their cost is said", () => {
  const stock = next(after(received("r1", "2", "1"), received("r2", "5", "3"), reserved("a", "3")), issue({ id: "a" })).stock;
  assert.deepEqual(next(stock, takeBack("b", "1")).events, [{ type: "GoodsReturned", id: "b", quantity: "1", cost: "3" }]);
  assert.deepEqual(next(stock, takeBack("b", "1", "2.50")).events, [{ type: "GoodsReturned", id: "b", quantity: "1", cost: "2.5" }]);
});

test("a transfer takes its costs along, and is in transit until the other side has it", () => {
  const { stock: here, events, outcome } = next(after(received("r1", "2", "1"), received("r2", "5", "3")), send("t", "north", "3"));
  assert.deepEqual(outcome, { ok: true, cost: "5" });
  assert.equal(text(inTransit(here)), "3");
  const [sent] = events;
  assert.ok(sent?.type === "TransferSent");
  const { stock: there } = next(stockModel.initial, arrive("t", "main", sent.lots));
  assert.deepEqual(
    there.lots.map((lot) => [text(lot.quantity), text(lot.cost)]),
    [
      ["2", "1"],
      ["1", "3"],
    ],
  );
  assert.deepEqual(next(there, arrive("t", "main", sent.lots)).events, []);
  const { stock: done } = next(here, complete("t"));
  assert.equal(text(inTransit(done)), "0");
  assert.deepEqual(next(done, send("t", "north", "3")).events, []);
});

test("whoever asks for what may be forgotten is sent to the record; whoever asked later than all of that is not", () => {
  const settled = next(
    after(received("r1", "10", "1"), { type: "GoodsReserved", id: "a", quantity: "1", askedAt: 500 }),
    issue({ id: "a" }),
  ).stock;
  const stock = busy(settled, 600);
  const unsure = { unsure: stock.settled.generation };
  const record: StockEvent[] = [
    { type: "GoodsReserved", id: "a", quantity: "1", askedAt: 500 },
    { type: "GoodsIssued", id: "a", quantity: "1", cost: "1" },
  ];
  const recalled = { generation: stock.settled.generation, settled: settledIn(record, "a") };
  assert.deepEqual(next(stock, reserve({ id: "a", quantity: "1", askedAt: 500 })).outcome, unsure);
  assert.deepEqual(next(stock, issue({ id: "a" })).outcome, unsure);
  assert.deepEqual(next(stock, release({ id: "a", askedAt: 500 }, NOW)).outcome, unsure);
  assert.equal(costOf(stock, reserve({ id: "new", quantity: "1", askedAt: 601 })), "1");
  assert.equal(reasonOf(stock, issue({ id: "never", recalled: { ...recalled, settled: [] } })), "RESERVATION_NOT_FOUND");
  assert.equal(costOf(stock, issue({ id: "a", recalled })), "1");
  assert.equal(costOf(stock, reserve({ id: "a", quantity: "1", askedAt: 500, recalled })), "1");
  assert.equal(reasonOf(stock, release({ id: "a", recalled }, NOW)), "RESERVATION_ISSUED");
});

test("quantities of nothing and beyond what can be counted exactly are refused", () => {
  assert.equal(reasonOf(stockModel.initial, receive("r", "0", "1")), "QUANTITY_ZERO");
  assert.equal(reasonOf(stockModel.initial, receive("r", "999999999999", "1")), "STOCK_LIMIT");
  assert.equal(reasonOf(after(received("r1", "99999999999", "1")), receive("r", "1", "1")), "STOCK_LIMIT");
});

test("ten thousand reservations against a stock of a thousand: a thousand are held, nine thousand refused", () => {
  let stock = after(received("r1", "1000", "1"));
  let refused = 0;
  for (let n = 0; n < 10_000; n++) {
    const { events, outcomes } = decide(stock, [reserve({ id: `r${n}`, quantity: "1" })], NOW);
    stock = freeze(events.reduce(stockModel.evolve, stock));
    if (!("ok" in outcomes[0]! && outcomes[0].ok)) refused++;
  }
  assert.equal(refused, 9_000);
  assert.equal(entries(stock.reservations).length, 1_000);
  assert.equal(text(stock.reserved), "1000");
});

const receipts = (length: number, cost = (n: number) => String(n + 1)) =>
  Array.from({ length }, (_, n) => ({ quantity: 1, cost: scaled(cost(n)) }));
const stockOf = (lots: Stock["lots"]): Stock => ({ ...stockModel.initial, lots, onHand: lots.length });

test("a stock keeps so many lots: goods of one more cost are refused, goods at the cost of the last are not", () => {
  const full = stockOf(receipts(10_000));
  assert.equal(reasonOf(full, receive("r", "1", "7")), "LOTS_FULL");
  assert.equal(reasonOf(full, takeBack("b", "1", "7")), "LOTS_FULL");
  const moved = [{ quantity: "1", cost: "10000" }];
  assert.equal(reasonOf(full, arrive("t", "north", [...moved, { quantity: "1", cost: "7" }])), "LOTS_FULL");
  for (const request of [receive("r", "1", "10000"), takeBack("b", "1"), arrive("t", "north", moved)]) {
    assert.equal(next(full, request).stock.lots.length, 10_000);
  }
  const { stock } = next(full, writeOff("w", "0.0001"));
  assert.equal(reasonOf(stock, receive("r", "1", "7")), undefined, "the oldest lot is gone");
});

test("what is sent and not there yet has an end, too", () => {
  const lots = receipts(6_000).map(({ cost }) => ({ quantity: "0.0001", cost: text(cost) }));
  const sent = after(
    received("r", "9", "1"),
    { type: "TransferReceived", id: "t", from: "north", lots },
    { type: "TransferSent", id: "s1", to: "south", lots },
  );
  assert.equal(
    reasonOf(
      stockModel.evolve({ ...sent, lots: stockOf(receipts(6_000)).lots, onHand: 6_000 }, reserved("x", "0.0001")),
      send("s2", "south", "0.5"),
    ),
    "TRANSIT_FULL",
  );
  assert.equal(reasonOf(stockModel.evolve(sent, { type: "TransferCompleted", id: "s1" }), send("s2", "south", "0.5")), undefined);
});

test("a stock keeps so many reservations; one that is released makes room for another", () => {
  let stock = after(received("r", "1000", "1"));
  for (let n = 0; n < 50_000; n++) stock = stockModel.evolve(stock, reserved(`a${n}`, "0.0001"));
  assert.equal(reasonOf(stock, reserve({ id: "one more", quantity: "1" })), "RESERVATIONS_FULL");
  assert.equal(reasonOf(stock, reserve({ id: "a7", quantity: "0.0001" })), undefined, "it is there already");
  const { stock: less } = next(stock, release({ id: "a7" }, NOW));
  assert.equal(reasonOf(less, reserve({ id: "one more", quantity: "1" })), undefined);
});
