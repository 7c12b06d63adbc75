import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { settle } from "../../test/support/setting.ts";

settle();
const products = (await import("./products.service.ts")).default;
type Product = import("./products.events.ts").Product;

const broker = new ServiceBroker({ logger: false });
broker.createService(products);
before(() => broker.start());
after(() => broker.stop());
const call = <T = Product>(action: string, params: object, meta: object = {}) =>
  broker.call(`v1.products.${action}`, params, { meta }) as Promise<T>;

test("a product's id follows from its code, and no other product has that code", async () => {
  const charges = await call("create", { code: "BANK CHARGES", kind: "service" });
  assert.equal(charges.id, "BANK~20CHARGES");
  assert.equal(charges.unit, "pcs");
  await assert.rejects(call("create", { code: "BANK CHARGES" }), { type: "DOCUMENT_EXISTS", code: 409 });
  await assert.rejects(call("create", { id: "other", code: "BANK CHARGES" }), { type: "VALUE_TAKEN", code: 409 });
});

test("no product is without a code, nor has one that is too long to name it by", async () => {
  await assert.rejects(call("saveMany", { items: [{ description: "nameless" }] }), { type: "ID_UNFIT", code: 422 });
  await assert.rejects(call("saveMany", { items: [{ id: "given", description: "nameless" }] }), { code: 422 });
  await assert.rejects(call("create", { code: " ".repeat(20) }), { type: "ID_UNFIT" });
  assert.equal((await call("create", { id: "blanks", code: " ".repeat(20) })).id, "blanks");
});

test("a product remembers how it was described before", async () => {
  await call("create", { code: "85123A", description: "WHITE HANGING HEART" });
  await call("update", { id: "85123A", description: "CREAM HANGING HEART" });
  const now = await call("update", { id: "85123A", description: "HANGING HEART" });
  assert.deepEqual(now.descriptions, ["WHITE HANGING HEART", "CREAM HANGING HEART"]);
  const back = await call("update", { id: "85123A", description: "WHITE HANGING HEART" });
  assert.deepEqual(back.descriptions, ["CREAM HANGING HEART", "HANGING HEART"]);
});

test("an import brings products with their past; the same again changes nothing", async () => {
  const items = [
    { code: "22423", description: "REGENCY CAKESTAND", descriptions: ["faulty", "damages"] },
    { code: "85123A", description: "wrongly marked", descriptions: ["?"] },
    { code: "POST", kind: "service" },
  ];
  assert.deepEqual(await call("saveMany", { items }), { created: 2, changed: 1, unchanged: 0, skipped: 0 });
  assert.deepEqual(await call("saveMany", { items }), { created: 0, changed: 0, unchanged: 3, skipped: 0 });
  assert.deepEqual((await call("get", { id: "85123A" })).descriptions, [
    "CREAM HANGING HEART",
    "HANGING HEART",
    "?",
    "WHITE HANGING HEART",
  ]);
  assert.deepEqual((await call("get", { id: "22423" })).descriptions, ["faulty", "damages"]);
  await call("remove", { id: "POST" });
  assert.deepEqual(await call("saveMany", { items }), { created: 0, changed: 0, unchanged: 2, skipped: 1 });
});

test("a deal asks for the kinds of its products, and hears of a change at once", async () => {
  await call("create", { code: "DOT" });
  const kinds = () => call<object>("kinds", { ids: ["DOT", "22423", "nowhere"] });
  assert.deepEqual(await kinds(), {
    items: [
      { id: "DOT", kind: "goods" },
      { id: "22423", kind: "goods" },
    ],
  });
  await call("update", { id: "DOT", kind: "service" });
  assert.deepEqual(await kinds(), {
    items: [
      { id: "DOT", kind: "service" },
      { id: "22423", kind: "goods" },
    ],
  });
});
