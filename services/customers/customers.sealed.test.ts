import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import type { Collection } from "../../mixins/collection.mixin.ts";
import { quietBroker } from "../../test/support/alive.ts";
import { settle } from "../../test/support/setting.ts";

const setting = settle();
const customers = (await import("./customers.service.ts")).default;
const vault = (await import("../../test/support/vault.service.ts")).default;
type Customer = import("./customers.events.ts").Customer;
type Erasable = { [K in keyof Customer]: Customer[K] | null };

/** Two nodes that know each other by what they store. */
const nodes = [0, 1].map(() => {
  const broker = new ServiceBroker(quietBroker());
  broker.createService(vault);
  broker.createService(customers);
  return broker;
});
before(() => Promise.all(nodes.map((node) => node.start())));
after(() => Promise.all(nodes.map((node) => node.stop())));

const ask = <T = Erasable>(action: string, params: object, meta: object = {}, node = 0) =>
  nodes[node]!.call(`v1.customers.${action}`, params, { meta }) as Promise<T>;
const room = (node = 0) => nodes[node]!.getLocalService("v1.customers") as unknown as Collection;
const stored = async (id: string) => room().adapter.documents.consult(() => room().adapter.documents.look(id)!.document);
const contacts = [{ name: "Ann Marker", email: "ann.marker@acme.example" }];

/** Everything that the room's store has, as one text. */
const everything = async (): Promise<string> => {
  if (setting === "cluster") {
    const { MongoClient } = await import("mongodb");
    const client = new MongoClient(process.env.MONGO_URL!);
    const texts: string[] = [];
    for (const { name } of (await client.db().admin().listDatabases()).databases.filter(({ name }) =>
      name.startsWith(process.env.NAMESPACE!),
    ))
      for (const collection of await client.db(name).collections()) texts.push(JSON.stringify(await collection.find().toArray()));
    await client.close();
    return texts.join("\n");
  }
  const files = readdirSync(process.env.DATA_DIR!, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1")).join("\n");
};

const until = async (holds: () => Promise<boolean>): Promise<number> => {
  for (const began = performance.now(); ; await delay(20)) if (await holds()) return performance.now() - began;
};

test("contacts and tax id never reach the store, its record or a remembered answer, and their readers see them", async () => {
  const meta = { user: { id: "u", roles: [] }, idempotencyKey: "once" };
  const asked = { id: "acme", name: "Acme", contacts, taxId: "GB 123-4567 marker" };
  const acme = await ask("create", asked, meta);
  assert.deepEqual([acme.contacts, acme.taxId], [contacts, asked.taxId]);
  assert.deepEqual(await ask("create", asked, meta, 1), acme);
  assert.deepEqual(await ask("get", { id: "acme" }, {}, 1), acme);
  const { items } = await ask<{ items: Customer[] }>("list", { search: "acme" }, {}, 1);
  assert.deepEqual(items, [acme]);
  assert.deepEqual((await ask<{ customer: Customer }>("export", { id: "acme" })).customer, acme);
  const { commits } = await ask<{ commits: { stream: string; events: { document: Customer }[] }[] }>("commits", { after: "" });
  assert.match(
    (commits.find(({ stream }) => stream === "acme")!.events[0]!.document as never as { taxId: { sealed: string } }).taxId.sealed,
    /^v1\./,
  );
  const all = await everything();
  assert.ok(all.includes("Acme"));
  for (const marker of ["marker", "Ann Marker", "ann.marker@acme.example", "GB1234567MARKER"])
    assert.equal(all.includes(marker), false, marker);
});

test("a customer is found by its tax id, however it is written, and by no part of it", async () => {
  await ask("create", { id: "taxed", name: "Taxed", taxId: "DE 811.569.869" });
  const found = async (taxId: string) => (await ask<{ items: Customer[] }>("list", { taxId })).items.map(({ id }) => id);
  assert.deepEqual(await found("de811569869"), ["taxed"]);
  assert.deepEqual(await found("DE 811"), []);
  await ask("update", { id: "taxed", taxId: null });
  assert.deepEqual(await found("DE811569869"), []);
  await assert.rejects(ask("list", { sort: "taxId" }), { type: "VALIDATION_ERROR" });
});

test("what says the same as before is no change, and what is not named stays sealed as it was", async () => {
  const item = { id: "same", name: "Same", contacts, taxId: "1" };
  assert.equal((await ask<{ created: number }>("saveMany", { items: [item] })).created, 1);
  const { contacts: sealed } = await stored("same");
  assert.equal((await ask<{ unchanged: number }>("saveMany", { items: [item] }, {}, 1)).unchanged, 1);
  const renamed = await ask("update", { id: "same", name: "Other" }, {}, 1);
  assert.deepEqual([renamed.version, renamed.contacts, renamed.taxId], [2, contacts, "1"]);
  assert.deepEqual((await stored("same")).contacts, sealed);
  await assert.rejects(ask("update", { id: "same", contacts: sealed }), { type: "VALIDATION_ERROR" });
  await assert.rejects(ask("update", { id: "same", contacts: [{ role: "nameless" }] }), { type: "VALIDATION_ERROR" });
});

test("many new customers have a key each, and the same again changes none", async () => {
  const items = Array.from({ length: 200 }, (_, i) => ({ id: `many-${i}`, name: `Many ${i}`, contacts: [{ name: `Ann ${i}` }] }));
  assert.equal((await ask<{ created: number }>("saveMany", { items })).created, 200);
  assert.equal((await ask<{ unchanged: number }>("saveMany", { items }, {}, 1)).unchanged, 200);
  const keys = await Promise.all(items.map(async ({ id }) => (await stored(id))._key));
  assert.equal(new Set(keys).size, 200);
});

test("what was sealed opens in its own field of its own document only", async () => {
  await ask("create", { id: "from", name: "From", taxId: "1", contacts });
  await ask("create", { id: "to", name: "To", taxId: "2", contacts });
  const { documents } = room().adapter;
  const [from, to] = [await stored("from"), await stored("to")];
  const change = { id: "moved", type: "CustomerSaved", at: Date.now(), occurredAt: Date.now() };
  await documents.write(() => documents.put({ ...to, taxId: from.taxId, contacts: to.taxId, _key: from._key }, change));
  const moved = await ask("get", { id: "to" });
  assert.deepEqual([moved.taxId, moved.contacts], [null, null]);
});

test("an erased customer is nobody any more on any node within a second, can be listed and read, and takes no more changes", async () => {
  await ask("create", { id: "gone", name: "Gone Ltd", taxId: "7", contacts, tags: ["vip"], country: "France", fields: { a: 1 } });
  await ask("get", { id: "gone" }, {}, 1);
  const before = await stored("gone");
  const erased = await ask("erase", { id: "gone" });
  assert.deepEqual([erased.name, erased.contacts, erased.taxId, erased.country], ["erased", null, null, "France"]);
  assert.ok(Date.parse((erased as never as { erasedAt: string }).erasedAt) > 0);
  assert.deepEqual(Object.keys(erased).sort(), [
    "contacts",
    "country",
    "createdAt",
    "erasedAt",
    "id",
    "name",
    "taxId",
    "updatedAt",
    "version",
  ]);
  assert.deepEqual(await ask("erase", { id: "gone" }, {}, 1), erased);
  assert.deepEqual((await ask<{ items: Customer[] }>("list", { taxId: "7" })).items, []);
  await assert.rejects(ask("update", { id: "gone", name: "Gone again" }), { type: "DOCUMENT_ERASED", code: 409 });
  await assert.rejects(ask("merge", { id: "from", into: "gone" }), { type: "DOCUMENT_ERASED" });
  assert.equal((await ask<{ skipped: number }>("saveMany", { items: [{ id: "gone", name: "Gone again" }] })).skipped, 1);

  const { documents } = room(1).adapter; // what a backup from before would bring back
  const change = { id: "restored", type: "CustomerSaved", at: Date.now(), occurredAt: Date.now() };
  await documents.write(() => documents.put(before, change));
  const took = await until(async () => (await ask("get", { id: "gone" }, {}, 1)).contacts === null);
  assert.ok(took < 1_000, `${took} ms`);
  assert.equal((await ask("get", { id: "gone" }, {}, 0)).taxId, null);
  const again = await ask("update", { id: "gone", contacts: [{ name: "New" }] }, {}, 1);
  assert.deepEqual([again.contacts, again.taxId], [[{ name: "New" }], null]);
  assert.notEqual((await stored("gone"))._key, before._key);

  const filled = { ...(await stored("gone")), erasedAt: "2026-01-01T00:00:00.000Z" }; // as one that was erased could be filled once
  await documents.write(() => documents.put(filled, { ...change, id: "filled" }));
  const twice = await ask("erase", { id: "gone" });
  assert.deepEqual([twice.name, twice.contacts, twice.tags, twice.fields], ["erased", null, undefined, undefined]);
});

test("with a removed customer goes its key", async () => {
  await ask("create", { id: "left", name: "Left", taxId: "8" });
  const { _key } = await stored("left");
  await ask("remove", { id: "left" });
  const { keys } = await nodes[0]!.call<{ keys: object[] }, object>("v1.auth.dataKeys", { room: "customers", ids: [_key] });
  assert.deepEqual(keys, []);
  assert.equal((await ask<{ id: string }>("remove", { id: "left" })).id, "left");
});

test("a key of one room is none of another's", async () => {
  await ask("create", { id: "own", name: "Own", taxId: "9" });
  const { _key } = await stored("own");
  const read = (room: string) => nodes[0]!.call<{ keys: { id: string }[] }, object>("v1.auth.dataKeys", { room, ids: [_key] });
  await nodes[0]!.call("v1.auth.destroyDataKeys", { room: "users", ids: [_key] });
  assert.deepEqual(
    (await read("customers")).keys.map(({ id }) => id),
    [_key],
  );
  assert.deepEqual((await read("users")).keys, []);
});

test("two who write to a customer without a key at once give it one", async () => {
  await ask("create", { id: "raced", name: "Raced" });
  const write = (n: number) => ask("update", { id: "raced", ...(n % 2 ? { taxId: `${n}` } : { contacts: [{ name: `${n}` }] }) }, {}, n % 2);
  const written = await Promise.allSettled([0, 1, 2, 3].map(write));
  for (const one of written) if (one.status === "rejected") assert.match(one.reason.type, /VERSION_CONFLICT|STORE_UNAVAILABLE/);
  const document = await stored("raced");
  for (const field of ["contacts", "taxId"])
    if (document[field]) assert.equal((document[field] as { sealed: string }).sealed.split(".")[1], document._key);
});

test("of what two nodes bring at once each has a key of its own, and all of it opens", async () => {
  const items = Array.from({ length: 60 }, (_, i) => ({
    id: `both-${i}`,
    name: `Both ${i}`,
    taxId: `B${i}`,
    contacts: [{ name: `Ann ${i}` }],
  }));
  const bring = (node: number) => ask("saveMany", { items: node ? items.toReversed() : items }, {}, node);
  for (const one of await Promise.allSettled([bring(0), bring(1), bring(0)]))
    if (one.status === "rejected") assert.match(one.reason.type, /VERSION_CONFLICT|STORE_UNAVAILABLE/);
  await ask("saveMany", { items });
  const keys = await Promise.all(items.map(async ({ id }) => (await stored(id))._key));
  assert.equal(new Set(keys).size, items.length);
  for (const { id, taxId } of items) assert.equal((await ask("get", { id }, {}, 1)).taxId, taxId);
});

test("what was stored open, before the room sealed it, is read, and is sealed with its next write", async () => {
  const { documents } = room().adapter;
  const change = { id: "old", type: "CustomerSaved", at: Date.now(), occurredAt: Date.now() };
  const now = new Date().toISOString();
  await documents.write(() => documents.put({ _id: "old", name: "Old", _name: "old", contacts, createdAt: now, updatedAt: now }, change));
  assert.deepEqual((await ask("get", { id: "old" })).contacts, contacts);
  assert.deepEqual((await ask("update", { id: "old", country: "Spain" })).contacts, contacts);
  assert.deepEqual(Object.keys((await stored("old")).contacts as object), ["sealed"]);
});

test("while the vault is away sealed fields are neither read nor written, and the rest is", async () => {
  await ask("create", { id: "shut", name: "Shut", taxId: "10" });
  await ask("create", { id: "bare", name: "Bare" });
  const away = nodes[1]!;
  await ask("get", { id: "shut" }, {}, 1);
  await away.destroyService(away.getLocalService("v1.auth")!);
  const refused = { type: "VAULT_UNAVAILABLE", code: 503 };
  await until(() =>
    ask("get", { id: "shut" }, {}, 1).then(
      () => false,
      ({ type }) => type === refused.type,
    ),
  );
  for (const [action, params] of [
    ["get", { id: "shut" }],
    ["list", { search: "shut" }],
    ["list", { taxId: "10" }],
    ["update", { id: "shut", country: "Chad" }],
    ["update", { id: "bare", taxId: "11" }],
    ["create", { id: "shut2", name: "Shut 2", taxId: "12" }],
    ["erase", { id: "shut" }],
  ] as const)
    await assert.rejects(ask(action, params, {}, 1), refused, `${action} ${JSON.stringify(params)}`);
  assert.equal((await ask("update", { id: "bare", country: "Chad" }, {}, 1)).country, "Chad");
  assert.equal((await ask("create", { id: "bare2", name: "Bare 2" }, {}, 1)).version, 1);
  assert.equal((await ask("get", { id: "shut" })).version, 1, "nothing was written");
  await away.createService(vault);
  await away.waitForServices({ name: "auth", version: 1 });
  assert.equal((await ask("get", { id: "shut" }, {}, 1)).taxId, "10");
});
