import assert from "node:assert/strict";
import { test } from "node:test";
import { amend, book, bookReturn, dealModel, open, returnLines } from "./deals.domain.ts";
import type { DealEvent, Line } from "./deals.events.ts";

const header = { saleParty: "acme", country: "EIRE", currency: "GBP", date: "2011-06-01" };
const line = (id: string, more: Partial<Line> = {}): Line => ({
  ...{ id, product: "LDPE", warehouse: "main", kind: "goods", quantity: "10", rate: "1.25", sources: [] },
  ...more,
});
const source = (quantity: string) => ({ supplier: "s", quantity, cost: "1" });
const opened: DealEvent = { type: "DealOpened", ...header, lines: [line("1")] };
const deals = { amend, bookReturn, book, open, returnLines };
const refused = (type: string, command: ReturnType<typeof open>, ...events: DealEvent[]) =>
  assert.throws(() => command(events.reduce(dealModel.evolve, dealModel.initial)), { type });

test("a deal is refused whose lines cannot be: nothing of it, more sources than it sells, goods below zero, two of one name", () => {
  for (const [type, lines] of [
    ["QUANTITY_ZERO", [line("1", { quantity: "0.000" })]],
    ["SOURCES_TOO_MANY", [line("1", { sources: [source("6"), source("4.0001")] })]],
    ["RATE_NEGATIVE", [line("1", { rate: "-0.01" })]],
    ["LINE_TOO_LARGE", [line("1", { quantity: "999999999999" })]],
    ["LINE_TOO_LARGE", [line("1", { quantity: "9999999999", rate: "999999999999" })]],
    ["LINE_TWICE", [line("1"), line("1")]],
  ] as [string, Line[]][]) {
    refused(type, deals.open(header, lines));
    refused(type, deals.amend({}, lines), opened);
    refused(type, deals.book(header, lines, 1));
  }
  assert.equal(open(header, [line("1", { kind: "service", rate: "-3.5" }), line("2", { rate: "0" })])(dealModel.initial).length, 1);
});

test("a day that no calendar has is refused", () => {
  for (const date of ["2011-02-30", "2011-04-31", "2100-02-29"]) {
    refused("DATE_INVALID", deals.open({ ...header, date }, [line("1")]));
    refused("DATE_INVALID", deals.book({ ...header, date }, [line("1")], 1));
    refused("DATE_INVALID", deals.amend({ date }), opened);
    refused("DATE_INVALID", deals.bookReturn({ ...header, date }, []));
  }
  assert.equal(deals.open({ ...header, date: "2012-02-29" }, [line("1")])(dealModel.initial).length, 1);
});
