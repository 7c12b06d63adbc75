import "../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { quietBroker } from "../test/support/alive.ts";
import { until } from "../test/support/other-node.ts";
import { settle } from "../test/support/setting.ts";
import type { Collection } from "./collection.mixin.ts";

settle();
const { collection } = await import("./collection.mixin.ts");
const vault = (await import("../test/support/vault.service.ts")).default;

const open = {
  name: "members",
  entity: "Member",
  fields: { name: "string|max:20", email: "string|optional", notes: { type: "array", items: "string", optional: true } },
  sorts: ["name"],
  filters: ["email"],
  indexes: [{ fields: ["email"], unique: true }],
} as const;
const sealed = { ...open, sealed: ["email", "notes"], exact: { email: (email: string) => email.toLowerCase() } };

const start = async (t: TestContext, options: Parameters<typeof collection>[0], withVault = true) => {
  const broker = new ServiceBroker(quietBroker());
  if (withVault) broker.createService(vault);
  broker.createService(collection(options));
  await broker.start();
  let running = true;
  const stop = async () => {
    if (running) await broker.stop();
    running = false;
  };
  t.after(stop);
  const { adapter } = broker.getLocalService(`v1.${options.name}`) as unknown as Collection;
  const stored = async (id: string) => adapter.documents.consult(() => adapter.documents.look(id)!.document);
  const ask = (action: string, params: object) => broker.call<Record<string, unknown>, object>(`v1.${options.name}.${action}`, params);
  return { broker, adapter, stored, ask, stop };
};

test("what a room kept before it sealed fields is sealed behind its start, as soon as the vault is there, and once", async (t) => {
  const before = await start(t, open, false);
  const ids = Array.from({ length: 450 }, (_, n) => `m-${n}`);
  for (const id of ids) await before.ask("create", { id, name: id, email: `${id}@Acme.example`, notes: [id] });
  await before.ask("remove", { id: "m-449" });
  await before.stop();

  const { broker, stored, ask, stop } = await start(t, sealed, false);
  assert.equal((await ask("get", { id: "m-1" })).email, "m-1@Acme.example", "it is read as it stands");
  broker.createService(vault);
  const isSealed = async (id: string) => typeof ((await stored(id)).email as { sealed?: unknown }).sealed === "string";
  for (const id of ids.slice(0, -1)) await until(() => isSealed(id));
  const { version, notes } = await ask("get", { id: "m-7" });
  assert.deepEqual([version, notes], [2, ["m-7"]]);
  assert.deepEqual(
    ((await ask("list", { email: "M-7@acme.EXAMPLE" })).items as { id: string }[]).map(({ id }) => id),
    ["m-7"],
  );
  const taken = { type: "VALUE_TAKEN", message: "Another one has this email", data: { id: "new", fields: ["email"] } };
  await assert.rejects(ask("create", { id: "new", name: "new", email: "m-8@acme.example" }), taken);
  await stop();
  const again = await start(t, sealed);
  assert.equal((await again.ask("get", { id: "m-7" })).version, 2, "there is nothing left to be done");
});

test("a removal that was cut off before its key was destroyed is completed with the next start", async (t) => {
  const first = await start(t, sealed);
  const keep = { id: "keep", name: "keep", notes: ["kept"] };
  for (const id of ["cut-1", "cut-2"]) await first.ask("create", { id, name: id, notes: [id] });
  await first.ask("create", keep);
  const keys = await Promise.all(["cut-1", "cut-2", "keep"].map(async (id) => (await first.stored(id))._key as string));
  await first.stop();
  const away = await start(t, sealed, false);
  for (const id of ["cut-1", "cut-2"]) await assert.rejects(away.ask("remove", { id }), { type: "VAULT_UNAVAILABLE" });
  await away.stop();
  const { broker, ask } = await start(t, sealed);
  const left = async () => {
    const { keys: found } = await broker.call<{ keys: { id: string }[] }, object>("v1.auth.dataKeys", { room: "members", ids: keys });
    return found.map(({ id }) => id);
  };
  await until(async () => (await left()).length === 1);
  assert.deepEqual(await left(), [keys[2]]);
  assert.deepEqual((await ask("get", { id: "keep" })).notes, keep.notes);
});

test("what a room kept before it hid its personal fields from events is hidden behind its start", async (t) => {
  const before = await start(t, { ...open, name: "people" }, false);
  await before.ask("create", { id: "old", name: "Old Name" });
  await before.stop();
  const { adapter, ask } = await start(t, { ...sealed, name: "people", personal: ["name"] });
  const told = async () => {
    const { commits } = await adapter.documents.record("", 10);
    return commits[0]!.events[0]!.document!.name as { digest?: string };
  };
  await until(async () => Object.keys(await told()).join() === "digest");
  assert.equal((await ask("get", { id: "old" })).name, "Old Name");
  const digest = await told();
  await ask("update", { id: "old", notes: ["one"] });
  assert.deepEqual(await told(), digest);
  await ask("update", { id: "old", name: "New Name" });
  assert.notDeepEqual(await told(), digest);
});

test("a room that would sort by what is sealed, search it, or filter by it in no one form, is none", () => {
  const refused = (over: object, why: RegExp) => assert.throws(() => collection({ ...sealed, ...over } as never), why);
  refused({ sorts: ["email"] }, /Nothing is sorted or searched by email, for it is sealed/);
  refused({ folded: "email" }, /Nothing is sorted or searched by email/);
  refused({ exact: {} }, /A filter by email, which is sealed, needs the one form/);
});
