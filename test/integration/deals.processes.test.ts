import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { startOtherNode, until } from "../support/other-node.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-deals-"));
after(() => rmSync(DATA_DIR, { recursive: true }));

interface Deal {
  id: string;
  status: string;
  fulfilling?: boolean;
  cancellation?: string;
}
type Stock = { onHand: string; reserved: string };

const ROOMS = ["deals", "inventory", "products"].map((room) => `services/${room}/${room}.service.ts`);
const head = { saleParty: "acme", country: "EIRE", currency: "GBP", date: "2011-06-01" };
const products = Array.from({ length: 10 }, (_, n) => `p${n}`);
const lines = products.map((product) => ({ product, kind: "goods", quantity: "1", rate: "3" }));

test("a process dies in the middle of its deals: another one ends every one of them, and no unit is held or gone that no deal has", async (t) => {
  const dying = await startOtherNode(t, DATA_DIR, ...ROOMS);
  for (const product of products) await dying.call("v1.inventory.receive", { id: "r", product, quantity: "45", cost: "1" });
  const ids = Array.from({ length: 60 }, (_, n) => `d${n}`);
  let answered = 0;
  const asked = ids.map(async (id, n) => {
    await dying.call("v1.deals.open", { id, ...head, lines });
    if (n % 3 === 0) return dying.call("v1.deals.confirm", { id }).finally(() => answered++);
    if (n % 3 === 1) return dying.call("v1.deals.book", { id: `${id}-past`, ...head, lines }).finally(() => answered++);
    const confirming = dying.call("v1.deals.confirm", { id });
    return Promise.all([dying.call("v1.deals.cancel", { id, reason: "no" }), confirming]).finally(() => answered++);
  });
  for (const one of asked) one.catch(() => {});
  await until(() => answered > 5);
  await dying.kill();
  const heir = await startOtherNode(t, DATA_DIR, ...ROOMS);
  for (const status of ["running", "undoing"]) {
    await until(async () => (await heir.call<{ items: object[] }>("v1.deals.sagas.list", { status })).items.length === 0);
  }
  const all = [...ids, ...ids.map((id) => `${id}-past`)];
  const found = async () =>
    (await Promise.all(all.map((id) => heir.call<Deal>("v1.deals.get", { id }).catch(() => undefined)))).filter(
      (deal) => deal !== undefined,
    );
  // what only its event has begun is found by whoever follows next, some seconds later
  const agreed = await until(async () => {
    const deals = await found();
    const settled = ({ status, fulfilling, cancellation }: Deal) =>
      status !== "confirming" && !fulfilling && (cancellation === undefined || status === "cancelled");
    const many = (status: string) => deals.filter((deal) => deal.status === status).length;
    const stocks = await Promise.all(products.map((product) => heir.call<Stock>("v1.inventory.get", { product }).catch(() => undefined)));
    const right = (stock?: Stock) => stock?.onHand === String(45 - many("fulfilled")) && stock.reserved === String(many("confirmed"));
    return deals.every(settled) && stocks.every(right) && { taken: many("confirmed") + many("fulfilled") };
  });
  assert.ok(agreed.taken > 0);
});

test("two processes book the same deals at the same time: each is booked once", async (t) => {
  const nodes = await Promise.all([startOtherNode(t, DATA_DIR, ...ROOMS), startOtherNode(t, DATA_DIR, ...ROOMS)]);
  await nodes[0].call("v1.inventory.receive", { id: "r", product: "both", quantity: "100", cost: "1" });
  const booking = { ...head, lines: [{ product: "both", kind: "goods", quantity: "2", rate: "3" }] };
  for (let n = 0; n < 20; n++) {
    const book = () => nodes.map((node) => node.call<Deal>("v1.deals.book", { id: `both${n}`, ...booking }));
    const said = await Promise.allSettled(book());
    for (const one of said) if (one.status === "rejected") assert.equal(one.reason.type, "VERSION_CONFLICT");
    for (const { status } of await Promise.all(book())) assert.equal(status, "fulfilled");
  }
  const { onHand, reserved } = await nodes[1].call<Stock>("v1.inventory.get", { product: "both" });
  assert.deepEqual({ onHand, reserved }, { onHand: "60", reserved: "0" });
});
