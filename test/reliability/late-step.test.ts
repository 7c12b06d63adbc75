import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import type { Coordinating } from "../../mixins/saga.mixin.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-late-"));
process.env.DATA_DIR = DATA_DIR; // before anything reads the configuration
const broker = new ServiceBroker({ logger: false });
for (const room of ["deals", "inventory"]) broker.createService((await import(`../../services/${room}/${room}.service.ts`)).default);
before(() => broker.start());
after(async () => {
  await broker.stop();
  rmSync(DATA_DIR, { recursive: true });
});

const call = <T>(action: string, params: object, meta = {}) => broker.call<T, object>(`v1.${action}`, params, { meta });
const line = (id: string, product: string) => ({ id, product, quantity: "2", rate: "1" });

test("a process that stood still while its saga was undone, and then goes on to reserve, takes nothing that the deal has not asked it for", async () => {
  await call("inventory.receive", { id: "r", product: "there", quantity: "10" });
  const lines = [line("a", "missing")];
  await call("deals.open", { id: "late", saleParty: "acme", currency: "GBP", lines });
  const { status, version } = await call<{ status: string; version: number }>("deals.confirm", { id: "late" });
  assert.equal(status, "open");
  await call("deals.amend", { id: "late", lines: [line("b", "there")] }, { ifVersion: version });

  await assert.rejects(call("deals.reserveStock", { id: "late", attempt: 1 }), { type: "DEAL_NOT_CONFIRMING" });
  assert.equal((await call<{ reserved: string }>("inventory.get", { product: "there" })).reserved, "0");

  await call("deals.cancel", { id: "late", reason: "enough" });
  await assert.rejects(call("deals.reserveStock", { id: "late", attempt: 1 }), { type: "DEAL_NOT_CONFIRMING" });
  assert.equal((await call<{ reserved: string }>("inventory.get", { product: "there" })).reserved, "0");
});

test("nor what an earlier confirmation of the deal wanted, once another one runs", async () => {
  await call("inventory.receive", { id: "r", product: "there", quantity: "10" });
  await call("deals.open", { id: "later", saleParty: "acme", currency: "GBP", lines: [line("a", "missing")] });
  const { version } = await call<{ version: number }>("deals.confirm", { id: "later" });
  await call("deals.amend", { id: "later", lines: [line("b", "there")] }, { ifVersion: version });
  await call("deals.confirm", { id: "later" });
  await assert.rejects(call("deals.reserveStock", { id: "later", attempt: 1 }), { type: "DEAL_NOT_CONFIRMING" });
  assert.equal((await call<{ reserved: string }>("inventory.get", { product: "there" })).reserved, "2");
});

test("two processes begin one saga, and the one that is told no is the later one: it undoes nothing of what the other did", async (t) => {
  const { SagaRunner } = await import("../../mixins/saga.runner.ts");
  const { openLeaseStore, openSagaStore } = await import("../../mixins/storage/open.ts");
  const [store, leases] = [openSagaStore("twins"), openLeaseStore("twins")];
  t.after(() => Promise.all([store.close(), leases.close()]));
  const asked: string[] = [];
  const refuse = Promise.withResolvers<void>();
  const take = called(asked, "take", () => asked.length === 1 && refuse.promise); // the first is answered when the other has ended
  broker.createService({ name: "twins", actions: { ...take, ...called(asked, "free"), ...called(asked, "end") } });
  await broker.waitForServices("twins");
  const steps = [
    { name: "take", do: () => ({ action: "twins.take", params: {} }), undo: () => ({ action: "twins.free", params: {} }) },
    { name: "end", do: () => ({ action: "twins.end", params: {} }) },
  ];
  const runners = [0, 1].map(() => new SagaRunner([{ name: "twin", steps }], store, leases, broker, broker.logger));
  const [late, early] = runners.map((runner) => () => runner.run("s", "twin", {}, {}));
  const slow = late!();
  while (asked.length === 0) await new Promise(setImmediate);
  assert.equal((await early!())?.status, "completed");
  refuse.reject(new Rejected("STOCK_SHORT", "There was none"));
  assert.equal((await slow)?.status, "completed");
  assert.deepEqual(asked, ["take", "take", "end"]);
});

test("a saga that its store once failed goes on in its own process, though another one looks after those of the dead", {
  timeout: 20_000,
}, async (t) => {
  const { coordinates } = await import("../../mixins/saga.mixin.ts");
  const { openLeaseStore, openSagaStore } = await import("../../mixins/storage/open.ts");
  const { SqliteSagaStore } = await import("../../mixins/storage/sqlite.saga-store.ts");
  const [store, leases] = [openSagaStore("alone"), openLeaseStore("alone")];
  t.after(() => Promise.all([store.close(), leases.close()]));
  await leases.take("sagas", "another process", 60_000);
  const step = { name: "end", do: () => ({ action: "alone.end", params: {} }) };
  const room = { name: "alone", mixins: [coordinates([{ name: "short", steps: [step] }], () => undefined)], actions: called([], "end") };
  const service = broker.createService(room) as unknown as Coordinating;
  await broker.waitForServices("alone");
  const { append } = SqliteSagaStore.prototype;
  let appends = 0;
  t.mock.method(SqliteSagaStore.prototype, "append", function (this: typeof store, ...commit: Parameters<typeof append>) {
    return ++appends === 2 ? Promise.reject(new Unavailable("STORE_UNAVAILABLE", "Its end")) : append.apply(this as never, commit);
  });
  const ctx = { meta: {} } as Parameters<Coordinating["pursue"]>[0];
  await assert.rejects(service.pursue(ctx, { id: "s", saga: "short", input: {} }), { type: "STORE_UNAVAILABLE" });
  assert.equal((await store.list("running", "", 1)).length, 1);
  while ((await store.list("completed", "", 1)).length === 0) await delay(20);
});

const called = (asked: string[], name: string, first: () => unknown = () => undefined) => ({
  [name]: () => {
    asked.push(name);
    return first() || {};
  },
});
