import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ServiceBroker } from "moleculer";
import type { Meta } from "../../mixins/core/context.ts";
import { until } from "../support/other-node.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-deals-"));
process.env.DATA_DIR = DATA_DIR; // before anything reads the configuration
const { default: deals } = await import("../../services/deals/deals.service.ts");
const { default: inventory } = await import("../../services/inventory/inventory.service.ts");
const { default: products } = await import("../../services/products/products.service.ts");

const broker = new ServiceBroker({ logger: false });
for (const room of [deals, inventory, products]) broker.createService(room);
before(() => broker.start());
after(async () => {
  await broker.stop();
  rmSync(DATA_DIR, { recursive: true });
});

interface Deal {
  id: string;
  version: number;
  status: string;
  date: string;
  amount: string;
  cost?: string;
  margin?: string;
  lines: { id: string; kind: string; quantity: string; rate: string; amount: string; cost?: string; margin?: string; sources: object[] }[];
  returns: { id: string; received: boolean; amount: string; date: string }[];
  notes: string[];
  cancellation?: string;
  refused?: { code: string; reason: string };
  short?: object[];
}
type Page = { items: (Omit<Deal, "lines"> & { lines: number; saleParty: string })[]; next?: string };

const call = <T = Deal>(verb: string, params: object, meta: Meta = {}) => broker.call<T, object>(`v1.deals.${verb}`, params, { meta });
const receive = (product: string, quantity: string, cost = "2") =>
  broker.call("v1.inventory.receive", { id: `r-${product}-${quantity}`, product, quantity, cost });
const stockOf = async (product: string) => {
  const { onHand, reserved } = await broker.call<{ onHand: string; reserved: string }, object>("v1.inventory.get", { product });
  return { onHand, reserved };
};
const line = (product: string, quantity = "10", more: object = {}) => ({ product, quantity, rate: "3", ...more });
const head = { saleParty: "acme", currency: "GBP" };
const open = (id: string, ...lines: object[]) => call("open", { id, ...head, lines });

test("a deal goes its way: opened, confirmed with its margin, fulfilled, and some of it comes back", async () => {
  await receive("way", "100");
  const opened = await open(
    "way",
    line("way", "10.00", { rate: "3.50" }),
    line("way", "4", { sources: [{ supplier: "s", quantity: "4.0", cost: "0.50" }] }),
  );
  assert.deepEqual([opened.status, opened.version, opened.amount, opened.short, opened.margin], ["open", 1, "47", undefined, undefined]);
  assert.deepEqual(
    opened.lines.map(({ id, quantity, rate }) => [id, quantity, rate]),
    [
      ["1", "10", "3.5"],
      ["2", "4", "3"],
    ],
    "numbers are kept in one way",
  );
  assert.deepEqual(opened.lines[1]!.sources, [{ supplier: "s", quantity: "4", cost: "0.5" }]);
  const confirmed = await call("confirm", { id: "way" });
  assert.deepEqual([confirmed.status, confirmed.cost, confirmed.margin], ["confirmed", "22", "25"]);
  assert.deepEqual(await stockOf("way"), { onHand: "100", reserved: "10" }, "what the sources bring is not taken from stock");
  const fulfilled = await call("fulfil", { id: "way" });
  assert.deepEqual(
    [fulfilled.status, fulfilled.lines.map(({ cost, margin }) => [cost, margin])],
    [
      "fulfilled",
      [
        ["20", "15"],
        ["2", "10"],
      ],
    ],
  );
  assert.deepEqual(await stockOf("way"), { onHand: "90", reserved: "0" });
  const back = { id: "way", return: "r1", date: "2011-07-01", lines: [{ line: "1", quantity: "3" }], reason: "broken" };
  const returned = await call("returnLines", back);
  assert.deepEqual(
    returned.returns.map(({ id, received, amount, date }) => [id, received, amount, date]),
    [["r1", true, "10.5", "2011-07-01"]],
  );
  assert.deepEqual(await call("returnLines", back), returned);
  assert.deepEqual(await stockOf("way"), { onHand: "93", reserved: "0" });
  await assert.rejects(call("returnLines", { ...back, return: "r2", lines: [{ line: "1", quantity: "7.5" }] }), {
    type: "RETURN_TOO_MUCH",
  });
  for (const verb of ["confirm", "fulfil"]) assert.equal((await call(verb, { id: "way" })).status, "fulfilled", "again is nothing new");
  await assert.rejects(call("cancel", { id: "way", reason: "late" }), { type: "DEAL_FULFILLED" });
});

test("what costs something else when it leaves than was expected shows what it did cost", async () => {
  await receive("lots", "5", "1");
  await receive("lots", "6", "9");
  await open("first", line("lots", "5"));
  await open("second", line("lots", "5"));
  assert.equal((await call("confirm", { id: "first" })).cost, "5");
  assert.equal((await call("confirm", { id: "second" })).cost, "45");
  assert.deepEqual([(await call("fulfil", { id: "second" })).cost, (await call("fulfil", { id: "first" })).cost], ["5", "45"]);
});

test("opening tells what is short, confirming decides: what cannot be had leaves the deal open and says why, with nothing held", async () => {
  await receive("scarce", "8");
  await receive("plenty", "50");
  const { short } = await open("short", line("plenty"), line("scarce"), line("never-seen", "1"));
  assert.deepEqual(short, [
    { line: "2", product: "scarce", available: "8" },
    { line: "3", product: "never-seen", available: "0" },
  ]);
  const { status, refused } = await call("confirm", { id: "short" });
  assert.equal(status, "open");
  assert.deepEqual(refused, { code: "STOCK_SHORT", reason: "line 2 wants 10 of scarce, 8 free; line 3 wants 1 of never-seen, 0 free" });
  for (const product of ["plenty", "scarce"]) assert.equal((await stockOf(product)).reserved, "0");
  await receive("scarce", "2");
  await receive("never-seen", "1");
  const again = await call("confirm", { id: "short" });
  assert.deepEqual([again.status, again.refused], ["confirmed", undefined]);
});

test("a service needs no stock: it is known by its product, and may lower the price", async () => {
  await broker.call("v1.products.create", { code: "POST", kind: "service" });
  const deal = await open("service", line("POST", "1"), line("DISCOUNT", "1", { kind: "service", rate: "-2.5" }));
  assert.deepEqual([deal.lines.map(({ kind }) => kind), deal.amount, deal.short], [["service", "service"], "0.5", undefined]);
  await call("confirm", { id: "service" });
  assert.deepEqual([(await call("fulfil", { id: "service" })).status, (await call("get", { id: "service" })).margin], ["fulfilled", "0.5"]);
  await assert.rejects(open("below", line("goods", "1", { rate: "-1" })), { type: "RATE_NEGATIVE" });
});

test("a confirmed deal that is cancelled gives back what it held, and does not leave any more", async () => {
  await receive("given", "10");
  await open("given", line("given"));
  await call("confirm", { id: "given" });
  const cancelled = await call("cancel", { id: "given", reason: "changed my mind" });
  assert.deepEqual([cancelled.status, cancelled.cancellation], ["cancelled", "changed my mind"]);
  assert.deepEqual(await stockOf("given"), { onHand: "10", reserved: "0" });
  await assert.rejects(call("fulfil", { id: "given" }), { type: "DEAL_NOT_CONFIRMED" });
  assert.deepEqual(await call("cancel", { id: "given", reason: "again" }), cancelled);
});

test("cancelled while it is being confirmed, a deal ends cancelled or confirmed-and-then-cancelled, and holds nothing", async () => {
  await receive("raced", "1000");
  await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const id = `raced${n}`;
      await open(id, line("raced"));
      const confirming = call("confirm", { id });
      for (let turn = 0; turn < n; turn++) await new Promise(setImmediate);
      await call("cancel", { id, reason: "stop" });
      await confirming;
      await until(async () => (await call("get", { id })).status === "cancelled");
    }),
  );
  assert.deepEqual(await stockOf("raced"), { onHand: "1000", reserved: "0" });
});

test("an operator who cancels the saga of a confirmation finds the deal open again, and why", async () => {
  await open("operated", line("operated"));
  await broker.call("v1.inventory.receive", { id: "r", product: "operated", quantity: "10" });
  const hold = { action: "v1.deals.sagas.cancel", params: { id: "confirm~operated~1", reason: "by hand" } };
  const confirming = call("confirm", { id: "operated" });
  const stopped = await until(() =>
    broker.call(hold.action, hold.params).then(
      () => "stopped",
      ({ type }) => type !== "SAGA_NOT_FOUND" && type,
    ),
  );
  const { status, refused } = await confirming;
  if (stopped === "stopped") assert.deepEqual([status, refused], ["open", { code: "CANCELLED", reason: "by hand" }]);
  else assert.equal(status, "confirmed", "it was past the point of no return");
});

test("a deal that has happened is booked in one request; the same again goes on from where it is and doubles nothing", async () => {
  const occurredAt = Date.UTC(2011, 5, 1, 12);
  const deal = { id: "booked", ...head, country: "EIRE", date: "2011-06-01", lines: [line("booked", "4"), line("booked", "6")] };
  const first = await call("book", deal, { occurredAt });
  assert.deepEqual([first.status, first.refused?.code], ["open", "STOCK_SHORT"]);
  await broker.call("v1.inventory.receive", { id: "r", product: "booked", quantity: "100" }, { meta: { occurredAt } });
  const again = await Promise.all([call("book", deal, { occurredAt }), call("book", deal, { occurredAt })]);
  assert.deepEqual(
    again.map(({ status }) => status),
    ["fulfilled", "fulfilled"],
  );
  assert.equal((await call("book", deal, { occurredAt })).status, "fulfilled");
  assert.deepEqual(await stockOf("booked"), { onHand: "90", reserved: "0" });
  const { items } = await call<{ items: { occurredAt: string }[] }>("history", { id: "booked" });
  assert.ok(
    items.every((item) => item.occurredAt === "2011-06-01T12:00:00.000Z"),
    "all of it happened then",
  );
});

test("a return that stands alone goes back into stock, once", async () => {
  const back = { id: "C1", ...head, date: "2011-06-03", lines: [line("back", "3"), line("POST", "1")] };
  for (let n = 0; n < 2; n++) assert.equal((await call("takeBack", back)).status, "returned");
  const { returns } = await call("get", { id: "C1" });
  assert.deepEqual(
    returns.map(({ received, amount }) => [received, amount]),
    [[true, "12"]],
  );
  assert.deepEqual(await stockOf("back"), { onHand: "3", reserved: "0" });
  await assert.rejects(call("takeBack", { ...back, id: "way" }), { type: "DEAL_EXISTS", code: 409 });
  await assert.rejects(call("takeBack", { ...back, id: "C2", lines: [line("back", "0")] }), { type: "QUANTITY_ZERO" });
});

test("a deal is amended by who has seen it as it is", async () => {
  await open("amended", line("a"));
  const changed = await call("amend", { id: "amended", date: "2011-06-09", lines: [line("b", "2"), line("b", "3")] }, { ifVersion: 1 });
  assert.deepEqual([changed.version, changed.date, changed.lines.map(({ id }) => id)], [2, "2011-06-09", ["1", "2"]]);
  await assert.rejects(call("amend", { id: "amended", lines: [line("c")] }, { ifVersion: 1 }), { type: "VERSION_MISMATCH", code: 412 });
  const sourced = await call("addSource", { id: "amended", line: "2", supplier: "s", quantity: "1.50", cost: "1.0" });
  assert.deepEqual(sourced.lines[1]!.sources, [{ supplier: "s", quantity: "1.5", cost: "1" }]);
  assert.deepEqual((await call("addNote", { id: "amended", text: " because " })).notes, ["because"]);
});

test("a creation that is sent twice under its key is one deal", async () => {
  const meta = { user: { id: "anna", roles: [] }, idempotencyKey: "new-deal" };
  const params = { ...head, lines: [line("keyed")] };
  const [one, two] = await Promise.all([call("open", params, meta), call("open", params, meta)]);
  assert.deepEqual([one.id, one.version], [two.id, 1]);
  await assert.rejects(call("open", { ...params, currency: "EUR" }, meta), { type: "KEY_REUSED" });
  await assert.rejects(open(one.id, line("keyed")), { type: "DEAL_EXISTS", code: 409 });
});

test("a deal is seen as it was, and its history says what became of it", async () => {
  const june = Date.UTC(2011, 5, 1);
  await call("open", { id: "past", ...head, lines: [line("past")] }, { occurredAt: june });
  await call("cancel", { id: "past", reason: "no" }, { occurredAt: june + 86_400_000 });
  const at = async (moment: string) => (await call("get", { id: "past", at: moment })).status;
  assert.deepEqual([await at("2011-06-01T00:00:00Z"), await at("2011-06-02T02:00:00+02:00")], ["open", "cancelled"]);
  await assert.rejects(at("2011-05-31T23:59:59Z"), { type: "DEAL_NOT_FOUND", code: 404 });
  const { items } = await call<{ items: { events: { type: string }[] }[] }>("history", { id: "past" });
  assert.deepEqual(
    items.flatMap(({ events }) => events.map(({ type }) => type)),
    ["DealOpened", "DealCancelled"],
  );
  await assert.rejects(call("get", { id: "nowhere" }), { code: 404 });
});

test("deals are listed by party, product, status and date, each as soon as its write is named", async () => {
  for (let n = 1; n <= 9; n++) {
    const lines = [line(n % 2 ? "odd" : "even"), line("all", "1")];
    await call("open", { id: `l${n}`, saleParty: n % 3 ? "lister" : "other", currency: "GBP", date: `2010-03-0${n}`, lines });
  }
  const { version } = await call("cancel", { id: "l4", reason: "no" });
  const list = async (params: object) =>
    (await call<Page>("list", { product: "all", seen: `l4@${version}`, ...params })).items.map(({ id }) => id);
  assert.deepEqual(await list({}), ["l9", "l8", "l7", "l6", "l5", "l4", "l3", "l2", "l1"]);
  assert.deepEqual(await list({ sort: "date", limit: 3 }), ["l1", "l2", "l3"]);
  assert.deepEqual(await list({ party: "other" }), ["l9", "l6", "l3"]);
  assert.deepEqual(await list({ product: "even", status: "open" }), ["l8", "l6", "l2"]);
  assert.deepEqual(await list({ status: "cancelled" }), ["l4"]);
  assert.deepEqual(await list({ from: "2010-03-03", to: "2010-03-05" }), ["l5", "l4", "l3"]);
  const first = await call<Page>("list", { party: "lister", limit: 4 });
  const rest = await call<Page>("list", { party: "lister", limit: 4, after: first.next });
  assert.deepEqual(
    [...first.items, ...rest.items].map(({ id }) => id),
    ["l8", "l7", "l5", "l4", "l2", "l1"],
  );
  assert.equal(rest.next, undefined);
  const [shown] = first.items;
  assert.deepEqual([shown?.lines, shown?.amount, shown?.saleParty], [2, "33", "lister"]);
  assert.equal("products" in shown!, false);
});

test("the list that is made anew is the list that was there", async () => {
  const list = async () => (await call<Page>("list", { limit: 200, seen: "last@1" })).items;
  await open("last", line("x"));
  const before = await list();
  assert.ok(before.length > 50);
  await call("rebuild", {});
  assert.deepEqual(await list(), before);
});
