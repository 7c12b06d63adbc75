import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decimal, units } from "../../mixins/core/decimal.ts";
import { freeze } from "../../mixins/core/freeze.ts";
import {
  arrive,
  complete,
  decide,
  giveBack,
  issue,
  type Request,
  receive,
  release,
  reserve,
  send,
  take,
  takeBack,
  writeOff,
} from "./inventory.domain.ts";
import type { StockEvent } from "./inventory.events.ts";
import { scaled, text } from "./inventory.lots.ts";
import { free, type Stock, stockModel } from "./inventory.stock.ts";
import { entries } from "./inventory.table.ts";

/** Decides one request before anything lapses, and answers with the stock that it leaves. */
const next = (stock: Stock, request: Request) => {
  const { events, outcomes } = decide(stock, [request], -1);
  return { stock: freeze(events.reduce(stockModel.evolve, stock)), events, outcome: outcomes[0]! };
};

test("every quantity is written as it was read", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n - 1n }), (value) => {
      const written = decimal(value * 10n ** 4n);
      assert.equal(BigInt(scaled(written)), value);
      assert.equal(text(scaled(written)), written);
    }),
    { numRuns: 2_000 },
  );
});

/** The books as anyone would keep them: single units of 10⁻⁴ are too many, so lots in a list, and nothing remembered for speed. */
class Books {
  lots: { quantity: bigint; cost: bigint }[] = [];
  in = 0n;
  out = 0n;
  held = new Map<string, { quantity: bigint; until?: number }>();
  get reserved() {
    return [...this.held.values()].reduce((sum, { quantity }) => sum + quantity, 0n);
  }
  get onHand() {
    return this.lots.reduce((sum, { quantity }) => sum + quantity, 0n);
  }
  leave(quantity: bigint): bigint {
    this.out += quantity;
    let cost = 0n;
    for (let wanted = quantity; wanted > 0n; ) {
      const lot = this.lots[0]!;
      const enough = lot.quantity >= wanted;
      const taken = enough ? wanted : lot.quantity;
      lot.quantity -= taken;
      wanted -= taken;
      cost += (taken * lot.cost) / 10n ** 8n;
      if (lot.quantity === 0n) this.lots.shift();
    }
    return cost;
  }
  record(event: StockEvent) {
    const lots = "lots" in event ? event.lots : event.type === "GoodsReceived" || event.type === "GoodsReturned" ? [event] : [];
    const incoming = event.type !== "TransferSent";
    for (const lot of incoming ? lots : []) {
      this.in += units(lot.quantity);
      this.lots.push({ quantity: units(lot.quantity), cost: units(lot.cost) });
    }
    if (event.type === "GoodsReserved") this.held.set(event.id, { quantity: units(event.quantity), until: event.until });
    if (event.type === "ReservationReleased" || event.type === "ReservationExpired") this.held.delete(event.id);
    if (event.type === "GoodsWrittenOff") assert.equal(event.cost, decimal(this.leave(units(event.quantity))));
    if (event.type === "TransferSent") {
      const cost = event.lots.reduce((sum, lot) => sum + (units(lot.quantity) * units(lot.cost)) / 10n ** 8n, 0n);
      assert.equal(cost, this.leave(event.lots.reduce((sum, lot) => sum + units(lot.quantity), 0n)));
    }
    if (event.type === "GoodsIssued") {
      assert.equal(event.cost, decimal(this.leave(units(event.quantity))));
      const held = this.held.get(event.id)!;
      held.quantity -= units(event.quantity);
      assert.ok(held.quantity >= 0n);
      if (held.quantity === 0n) this.held.delete(event.id);
    }
  }
}

const name = fc.integer({ min: 0, max: 60 }).map((n) => `id${n}`);
const amount = fc.integer({ min: 1, max: 200_000 }).map(text);
const price = fc.constantFrom("0", "0.0001", "1.5", "2", "2.55");
const anyRequest: fc.Arbitrary<Request> = fc.oneof(
  fc.tuple(name, amount, price).map(([id, quantity, cost]) => receive(id, quantity, cost)),
  fc.tuple(name, amount, fc.option(price, { nil: undefined })).map(([id, quantity, cost]) => takeBack(id, quantity, cost)),
  fc.tuple(name, amount).map(([id, quantity]) => writeOff(id, quantity)),
  fc
    .tuple(name, amount, fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }))
    .map(([id, quantity, until]) => reserve({ id, quantity, until })),
  name.map((id) => release({ id }, 0)),
  fc.tuple(name, amount).map(([id, quantity]) => take({ id, quantity })),
  fc.tuple(name, amount).map(([id, quantity]) => giveBack({ id, quantity }, 0)),
  fc
    .tuple(name, fc.option(amount, { nil: undefined }), fc.option(name, { nil: undefined }))
    .map(([id, quantity, pick]) => issue({ id, quantity, pick })),
  fc.tuple(name, amount).map(([id, quantity]) => send(id, "north", quantity)),
  fc.tuple(name, amount, price).map(([id, quantity, cost]) => arrive(id, "north", [{ quantity, cost }])),
  name.map((id) => complete(id)),
);

test("whatever is asked in whatever order: on hand is what came less what left, nothing is below zero, costs are those of plain books", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(anyRequest, { minLength: 1, maxLength: 4 }), fc.nat(2)), { maxLength: 60 }), (calls) => {
      const books = new Books();
      let stock = stockModel.initial;
      let now = 0;
      for (const [requests, passed] of calls) {
        now += passed;
        const { events } = decide(stock, requests, now);
        for (const event of events) books.record(event);
        stock = freeze(JSON.parse(JSON.stringify(events.reduce(stockModel.evolve, stock)))) as Stock;
        assert.equal(decimal(books.onHand), text(stock.onHand));
        assert.equal(books.onHand, books.in - books.out);
        assert.equal(decimal(books.reserved), text(stock.reserved));
        assert.ok(stock.reserved >= 0 && stock.reserved <= stock.onHand);
        assert.ok(stock.lots.every(({ quantity }) => quantity > 0));
        assert.equal(entries(stock.reservations).length, books.held.size);
        const live = [...books.held.values()].filter(({ until }) => until === undefined || until > now);
        assert.equal(text(free(stock, now)), decimal(books.onHand - live.reduce((sum, { quantity }) => sum + quantity, 0n)));
      }
    }),
    { numRuns: 300 },
  );
});

test("whatever was asked, asking it again at once changes nothing, and answers with the same cost", () => {
  fc.assert(
    fc.property(fc.array(anyRequest, { minLength: 1, maxLength: 60 }), (requests) => {
      let { stock } = next(stockModel.initial, receive("opening", "50", "1"));
      for (const request of requests) {
        const first = next(stock, request);
        const again = next(first.stock, request);
        if (!("ok" in first.outcome && first.outcome.ok)) continue;
        stock = first.stock;
        assert.deepEqual(again.events, []);
        assert.ok("ok" in again.outcome && again.outcome.ok);
        const [event] = first.events;
        if (event?.type === "GoodsIssued" || event?.type === "GoodsWrittenOff") assert.equal(again.outcome.cost, event.cost);
      }
    }),
    { numRuns: 300 },
  );
});
