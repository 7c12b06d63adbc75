import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { settle } from "../../test/support/setting.ts";

settle();
const customers = (await import("./customers.service.ts")).default;
type Customer = import("./customers.events.ts").Customer;
type List = { items: Customer[]; next?: string };

const broker = new ServiceBroker({ logger: false });
broker.createService((await import("../../test/support/vault.service.ts")).default);
broker.createService(customers);
before(() => broker.start());
after(() => broker.stop());
const call = <T = Customer>(action: string, params: object, meta: object = {}) =>
  broker.call(`v1.customers.${action}`, params, { meta }) as Promise<T>;

test("a customer is kept with its credit limit in one form and each tag once", async () => {
  const acme = await call("create", {
    id: "acme",
    name: "Acme Ltd",
    country: "United Kingdom",
    creditLimit: { amount: "1000.50", currency: "GBP" },
    tags: ["vip", "vip", "retail"],
    contacts: [{ name: "Ann", email: "ann@acme.test", hobby: "golf" }],
    fields: { region: { code: "N" }, unset: null },
    balance: "1",
  });
  const { createdAt, updatedAt, ...rest } = acme;
  assert.deepEqual(rest, {
    id: "acme",
    name: "Acme Ltd",
    country: "United Kingdom",
    creditLimit: { amount: "1000.5", currency: "GBP" },
    tags: ["vip", "retail"],
    contacts: [{ name: "Ann", email: "ann@acme.test" }],
    fields: { region: { code: "N" } },
    version: 1,
  });
  assert.equal(createdAt, updatedAt);
  assert.deepEqual(await call("get", { id: "acme" }), acme);
  assert.deepEqual(Object.keys((await call<List>("list", { search: "acme" })).items[0]!), Object.keys(acme));
});

test("free fields stay within bounds", async () => {
  const deep = { a: { b: { c: { d: { e: 1 } } } } };
  await assert.rejects(call("create", { name: "Deep", fields: deep }), { type: "FIELDS_TOO_LARGE", code: 422 });
  await assert.rejects(call("create", { name: "Long", fields: { a: "x".repeat(20_000) } }), { type: "FIELDS_TOO_LARGE" });
  const many = Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`f${i}`, i]));
  await assert.rejects(call("create", { name: "Many", fields: many }), { type: "FIELDS_TOO_LARGE" });
});

test("a customer is found by the beginning of its name, however it is written", async () => {
  for (const name of ["Ärzte AG", "ärmel GmbH", "ARZTEN", "Zed"]) await call("create", { name, country: "Germany" });
  const names = async (params: object) => (await call<List>("list", params)).items.map(({ name }) => name);
  assert.deepEqual(await names({ search: "är" }), ["ärmel GmbH", "Ärzte AG"]);
  assert.deepEqual(await names({ search: "z", country: "Germany" }), ["Zed"]);
  assert.deepEqual(await names({ search: "z", country: "France" }), []);
  assert.deepEqual(await names({ tags: "vip" }), ["Acme Ltd"]);
});

test("a double is merged: it answers with where it went, and lists show it no more", async () => {
  const contact = { name: "Bob" };
  await call("create", { id: "dup1", name: "Dup one", tags: ["a"], contacts: [contact] });
  await call("create", { id: "dup2", name: "Dup two", tags: ["b", "a"], contacts: [contact, { name: "Cy" }] });
  await call("create", { id: "main", name: "Dup main", tags: ["c"] });
  const merged = await call("merge", { id: "dup1", into: "dup2" });
  assert.deepEqual(merged.tags, ["b", "a"]);
  assert.deepEqual(merged.contacts, [contact, { name: "Cy" }]);
  assert.deepEqual(await call("merge", { id: "dup1", into: "dup2" }), merged);

  const main = await call("merge", { id: "dup2", into: "main" });
  assert.deepEqual(main.tags, ["c", "b", "a"]);
  assert.equal((await call("get", { id: "dup1" })).mergedInto, "main");
  assert.equal((await call("get", { id: "dup2" })).mergedInto, "main");
  assert.deepEqual(await call("merge", { id: "dup1", into: "main" }), main);
  assert.deepEqual(
    (await call<List>("list", { search: "dup" })).items.map(({ id }) => id),
    ["main"],
  );

  await assert.rejects(call("merge", { id: "main", into: "dup1" }), { type: "MERGE_CYCLE", code: 422 });
  await assert.rejects(call("merge", { id: "main", into: "main" }), { type: "MERGE_CYCLE" });
  await assert.rejects(call("merge", { id: "dup1", into: "acme" }), { type: "CUSTOMER_MERGED", code: 409 });
  await assert.rejects(call("update", { id: "dup1", name: "Again" }), { type: "CUSTOMER_MERGED" });
  await assert.rejects(call("merge", { id: "acme", into: "nobody" }), { type: "DOCUMENT_NOT_FOUND", code: 404 });
  const skipped = await call<object>("saveMany", { items: [{ id: "dup1", name: "From the import" }] });
  assert.deepEqual(skipped, { created: 0, changed: 0, unchanged: 0, skipped: 1 });
});

test("two doubles merged into each other at once: one of them stands", async () => {
  await call("create", { id: "x", name: "X" });
  await call("create", { id: "y", name: "Y" });
  const both = await Promise.allSettled([call("merge", { id: "x", into: "y" }), call("merge", { id: "y", into: "x" })]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const [double, stands] = both[0].status === "fulfilled" ? ["x", "y"] : ["y", "x"];
  assert.equal((await call("get", { id: double! })).mergedInto, stands);
  assert.equal((await call("get", { id: stands! })).mergedInto, undefined);
});

test("names made up by an import do not take the place of better ones", async () => {
  const items = [
    { id: "acme", name: "Customer 1" },
    { id: "12345", name: "Customer 12345" },
  ];
  assert.deepEqual(await call("saveMany", { items, onlyNew: true }), { created: 1, changed: 0, unchanged: 1, skipped: 0 });
  assert.equal((await call("get", { id: "acme" })).name, "Acme Ltd");
});
