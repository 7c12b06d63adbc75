import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { settle } from "../../test/support/setting.ts";

settle();
const broker = new ServiceBroker({ logger: false });
broker.createService((await import("../../test/support/vault.service.ts")).default);
broker.createService((await import("./users.service.ts")).default);
before(() => broker.start());
after(() => broker.stop());

type User = { id: string; name: string; status: string; roles: string[] };
const call = <T = User>(action: string, params: object, meta: object = {}) =>
  broker.call(`v1.users.${action}`, params, { meta }) as Promise<T>;
const admin = { user: { id: "root", roles: ["admin"] } };
const user = (id: string, roles: string[]) => ({ id, name: `Name of ${id}`, email: `${id}@acme.example`, roles });

test("one active administrator is left, whichever way another one goes", async () => {
  await call("create", user("one", ["reader", "admin"]));
  const last = { type: "LAST_ADMINISTRATOR", code: 409 };
  await assert.rejects(call("remove", { id: "one" }, admin), last);
  await assert.rejects(call("erase", { id: "one" }, admin), last);
  await assert.rejects(call("saveMany", { items: [{ id: "one", roles: ["reader"] }] }, admin), last);
  await call("create", user("two", ["admin"]));
  const both = [
    { id: "one", status: "disabled" },
    { id: "two", status: "disabled" },
  ];
  await assert.rejects(call("saveMany", { items: both }, admin), last);
  assert.equal((await call("update", { id: "one", status: "disabled" }, admin)).status, "disabled");
  await assert.rejects(call("update", { id: "two", roles: ["reader"] }, admin), last);
  assert.equal((await call("erase", { id: "one" }, admin)).name, "erased");
});

test("what is remembered of requests about whoever is erased goes with him", async () => {
  const meta = { user: { id: "root", roles: ["admin"] }, idempotencyKey: "once" };
  const made = await call("create", user("ann", ["reader"]), meta);
  assert.deepEqual(await call("create", user("ann", ["reader"]), meta), made);
  await call("erase", { id: "ann" }, admin);
  await assert.rejects(call("create", user("ann", ["reader"]), meta), { type: "DOCUMENT_EXISTS" });
  await assert.rejects(call("update", { id: "ann", name: "Ann again" }, admin), { type: "DOCUMENT_ERASED", code: 409 });
});

test("a key counts for a day: what comes later under it is another request", async (t) => {
  const meta = { user: { id: "root", roles: ["admin"] }, idempotencyKey: "a day" };
  const made = await call("create", user("day", []), meta);
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 86_300_000 });
  assert.deepEqual(await call("create", user("day", []), meta), made);
  t.mock.timers.tick(200_000);
  await assert.rejects(call("create", user("day", []), meta), { type: "DOCUMENT_EXISTS" });
});

test("who brings users of roles that are not his brings none of them", async () => {
  const meta = { user: { id: "pat", roles: ["reader"] } };
  const items = [user("r1", ["reader"]), user("t1", ["trader"])];
  await assert.rejects(call("saveMany", { items }, meta), { type: "NOT_ALLOWED", code: 403, data: { roles: ["trader"] } });
  await assert.rejects(call("get", { id: "t1" }), { type: "DOCUMENT_NOT_FOUND" });
  assert.equal((await call<{ created: number }>("saveMany", { items }, admin)).created, 2);
});
