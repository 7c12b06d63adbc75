import assert from "node:assert/strict";
import { test } from "node:test";
import * as deals from "./deals.domain.ts";
import type { DealEvent, Line } from "./deals.events.ts";

const header = { saleParty: "acme", country: "EIRE", currency: "GBP", date: "2011-06-01" };
const line = (id: string, more: Partial<Line> = {}): Line => ({
  ...{ id, product: "LDPE", warehouse: "main", kind: "goods", quantity: "10000", rate: "1", sources: [] },
  ...more,
});
const { initial, evolve } = deals.dealModel;
const given = (...events: DealEvent[]) => events.reduce(evolve, initial);
const opened = (...lines: Line[]) => given({ type: "DealOpened", ...header, lines });
const fulfilled = (...lines: Line[]) => ({ ...opened(...lines), status: "fulfilled" as const });
const back = (id: string, lines: number) =>
  deals.returnLines(
    id,
    "2011-07-01",
    Array.from({ length: lines }, () => ({ line: "1", quantity: "0.0001" })),
  );

test("an amendment that changes nothing is no event, and one that changes something says no more than that", () => {
  const deal = opened(line("1", { sources: [{ supplier: "s", quantity: "1", cost: "2" }] }), line("2"));
  const same = structuredClone([...deal.lines]);
  assert.deepEqual(deals.amend({ ...header }, same)(deal), []);
  assert.deepEqual(deals.amend({ country: "EIRE" })(deal), []);
  assert.deepEqual(deals.amend({ ...header, country: "France" }, same)(deal), [{ type: "DealAmended", country: "France" }]);
  const [first, second] = same as [Line, Line];
  for (const lines of [[second, first], [first], [first, { ...second, rate: "2" }], [{ ...first, sources: [] }, second]]) {
    assert.deepEqual(deals.amend({ date: header.date }, lines)(deal), [{ type: "DealAmended", lines }]);
  }
  assert.throws(() => deals.amend({}, [first, first])(deal), { type: "LINE_TWICE" });
});

test("what comes back of a line is added up over all returns, however many lines of it there are", () => {
  let deal: deals.Deal = fulfilled(line("1", { quantity: "2" }), line("2"));
  for (let n = 0; n < 9; n++) deal = evolve(deal, back(`r${n}`, 2_000)(deal)[0]!);
  assert.throws(() => deals.returnLines("s", "2011-07-01", [{ line: "1", quantity: "0.2001" }])(deal), { type: "RETURN_TOO_MUCH" });
  deal = evolve(deal, deals.returnLines("s", "2011-07-01", [{ line: "1", quantity: "0.2" }])(deal)[0]!);
  assert.throws(() => back("t", 1)(deal), { type: "RETURN_TOO_MUCH" });
  assert.equal(deals.returnLines("u", "2011-07-01", [{ line: "2", quantity: "10000" }])(deal).length, 1);
});

test("a deal takes so many returns, and so many lines of them in all; one that it has is known all the same", () => {
  let deal: deals.Deal = fulfilled(line("1"));
  for (let n = 0; n < 10; n++) deal = evolve(deal, back(`r${n}`, 2_000)(deal)[0]!);
  assert.throws(() => back("more", 1)(deal), { type: "RETURNS_FULL", code: 422 });
  assert.deepEqual(back("r3", 2_000)(deal), []);
  let often: deals.Deal = fulfilled(line("1"));
  for (let n = 0; n < 1_000; n++) often = evolve(often, back(`r${n}`, 1)(often)[0]!);
  assert.throws(() => back("more", 1)(often), { type: "RETURNS_FULL" });
});

test("sources are added to a deal until it has many, over all of its lines", () => {
  const source = { supplier: "s", quantity: "0", cost: "1" };
  const sources = Array.from({ length: 5_000 }, () => source);
  const almost = opened(line("1", { sources }), line("2", { sources: sources.slice(1) }));
  const full = evolve(almost, deals.addSource("2", source)(almost)[0]!);
  for (const id of ["1", "2"]) assert.throws(() => deals.addSource(id, source)(full), { type: "SOURCES_FULL", code: 422 });
});
