import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { quietBroker } from "../support/alive.ts";
import { settle } from "../support/setting.ts";
import { HOUSE } from "../support/system.ts";

const setting = settle();
const { auditRefusals } = await import("../../mixins/trust/audit-refusals.ts");
const { authorize } = await import("../../mixins/trust/authorize.ts");
const audit = (await import("../../services/audit/audit.service.ts")).default;
const customers = (await import("../../services/customers/customers.service.ts")).default;
const inventory = (await import("../../services/inventory/inventory.service.ts")).default;
const { until } = await import("../support/other-node.ts");
const { openAuditStore } = await import("../../mixins/storage/open.ts");
const { auditKeyOf, kidOf, publicKeyOf } = await import("../../mixins/trust/audit-key.ts");
const { masterKey } = await import("../../mixins/trust/master-key.ts");
const { chaining } = await import("../../services/audit/audit.chain.ts");
const { Verifier } = await import("../../services/audit/audit.verify.ts");
type Shown = import("../../services/audit/audit.entries.ts").Shown;
type Finding = import("../../services/audit/audit.verify.ts").Finding;

const broker = new ServiceBroker({
  ...quietBroker(),
  internalMiddlewares: false,
  middlewares: [authorize, "Validator", "ContextTracker", auditRefusals] as never,
});
for (const room of [customers, inventory]) broker.createService(room);
let room = broker.createService(audit);
before(() => broker.start());
after(() => broker.stop());

const ann = { id: "ann", roles: ["trader", "warehouse"], session: "s1" };
const auditor = { id: "olga", roles: ["auditor"] };
const by = (user: object | undefined, rest: object = {}) => ({ meta: { ...(user && { user }), from: "192.0.2.7", ...rest } });
const list = async (params: object = {}) =>
  (await broker.call<{ items: Shown[]; next?: string }, object>("v1.audit.list", params, by(auditor))) as { items: Shown[]; next?: string };
/** The entries that fit, once there are so many. */
const entries = async (count: number, params: object): Promise<Shown[]> => {
  let items: Shown[] = [];
  await until(async () => {
    ({ items } = await list(params));
    return items.length >= count;
  });
  assert.equal(items.length, count, JSON.stringify(items));
  return items;
};
const changedIn = (events: unknown) => (events as { document: { name: { digest: string }; country?: string } }[])[0]!.document;
const get = ({ day, n }: Shown, user: object = auditor) =>
  broker.call<Shown & { before?: Shown }, object>("v1.audit.get", { day, n }, by(user));

test("a command that was accepted is written down: who, what, from where, in the course of what, and what changed", async () => {
  const meta = by(ann, { cause: "saga-1" });
  await broker.call("v1.customers.create", { id: "acme", name: "Acme", country: "France" }, { ...meta, requestID: "r-1" });
  const [entry] = await entries(1, { resource: "customers/acme" });
  const { room, action, result, user, session, from, request, cause, version } = entry!;
  assert.deepEqual(
    { room, action, result, user, session, from, request, cause, version },
    {
      ...{ room: "customers", action: "customers.CustomerSaved", result: "accepted", user: "ann", session: "s1" },
      ...{ from: "192.0.2.7", request: "r-1", cause: "saga-1", version: 1 },
    },
  );
  const { change, before: earlier } = await get(entry!);
  assert.equal(changedIn(change).country, "France");
  assert.deepEqual(Object.keys(changedIn(change).name), ["digest"], "who it is stands in its own room alone");
  assert.equal(earlier, undefined);
});

test("an entry shows what was written down of the same thing before, and whether it has another name since", async () => {
  await broker.call("v1.customers.update", { id: "acme", name: "Acme Ltd", country: "Spain" }, by(ann));
  const [latest] = await entries(2, { resource: "customers/acme" });
  const { change, before: earlier } = await get(latest!);
  assert.deepEqual([changedIn(earlier!.change).country, changedIn(change).country], ["France", "Spain"]);
  assert.notDeepEqual(changedIn(earlier!.change).name, changedIn(change).name);
});

test("what something cost is shown to whoever may see it, and to no other auditor", async () => {
  const lines = { warehouse: "main", product: "P1", quantity: "5", cost: "12.50", currency: "EUR" };
  await broker.call("v1.inventory.receive", lines, by({ id: "ann", roles: ["admin"] }));
  const [entry] = await entries(1, { room: "inventory" });
  const seen = async (user: object) => JSON.stringify(await get(entry!, user));
  assert.doesNotMatch(await seen(auditor), /12\.5/);
  assert.match(await seen({ id: "boss", roles: ["auditor", "bookkeeper"] }), /12\.5/);
});

test("a command that was refused is written down, whoever refused it: the policy, the form, the room", async () => {
  const refused = async (action: string, params: object, user: object | undefined, type: string) => {
    await assert.rejects(broker.call(action, params, by(user)), { type });
    return type;
  };
  const codes = [
    await refused("v1.customers.create", { id: "x", name: "X" }, undefined, "LOGIN_REQUIRED"),
    await refused("v1.customers.create", { id: "x", name: "X" }, { id: "rita", roles: ["reader"] }, "NOT_ALLOWED"),
    await refused("v1.customers.create", { id: "x" }, ann, "VALIDATION_ERROR"),
    await refused("v1.customers.create", { id: "acme", name: "Acme" }, ann, "DOCUMENT_EXISTS"),
  ];
  const found = await entries(4, { result: "refused" });
  assert.deepEqual(found.map(({ code }) => code).sort(), codes.sort());
  const taken = found.find(({ code }) => code === "DOCUMENT_EXISTS")!;
  assert.deepEqual([taken.user, taken.from, taken.action, taken.resource], ["ann", "192.0.2.7", "v1.customers.create", "customers/acme"]);
  await assert.rejects(broker.call("v1.customers.get", { id: "nobody" }, by(ann)), { code: 404 });
});

test("the trail is read by auditors alone, and a page goes on where the last one ended", async () => {
  await assert.rejects(broker.call("v1.audit.list", {}, by(ann)), { code: 403 });
  await assert.rejects(list({ after: "nonsense" }), { type: "CURSOR_INVALID" });
  const all = (await list({ limit: 1_000 })).items;
  const paged: Shown[] = [];
  for (let after: string | undefined; ; ) {
    const { items, next } = await list({ limit: 2, ...(after && { after }) });
    paged.push(...items);
    if (!next) break;
    after = next;
  }
  assert.deepEqual(
    paged.map(({ id }) => id),
    all.map(({ id }) => id),
  );
  assert.deepEqual((await list({ user: "ann", room: "customers", result: "accepted" })).items.length, 2);
  assert.deepEqual((await list({ to: "2020-01-01" })).items, []);
  assert.deepEqual((await list({ action: "inventory.Nothing" })).items, []);
  await assert.rejects(broker.call("v1.audit.get", { day: "2020-01-01", n: 1 }, by(auditor)), { type: "ENTRY_NOT_FOUND", code: 404 });
});

test("while the room is away what is refused waits, and what is committed is found when it is back: each once", async () => {
  const before = (await list({ limit: 1_000 })).items.length;
  await broker.destroyService(room);
  for (const id of ["c1", "c2", "c3"]) await broker.call("v1.customers.create", { id, name: id }, by(ann));
  for (const user of ["bea", "carl"]) await broker.call("v1.customers.update", { id: "c1", name: user }, by({ ...ann, id: user }));
  await assert.rejects(broker.call("v1.customers.create", { id: "c1", name: "again" }, by({ id: "bob", roles: ["trader"] })));
  room = broker.createService(audit);
  await broker.waitForServices({ name: "audit", version: 1 });
  await entries(1, { user: "bob" });
  const covered = await entries(3, { resource: "customers/c1", result: "accepted" });
  assert.deepEqual(
    covered.map(({ version, covered, user }) => [version, covered === true, user]),
    [
      [3, false, "carl"],
      [2, true, "bea"],
      [1, true, "ann"],
    ],
  );
  await entries(3 + 2, { room: "customers", user: "ann", result: "accepted" });
  assert.equal((await list({ limit: 1_000 })).items.length, before + 6);
});

test("the same commits and reports again, from two writers at once, are no entries", async () => {
  const key = auditKeyOf(masterKey());
  const { key: text } = await broker.call<{ key: string }, object>("v1.audit.roots", {}, by(auditor));
  const stores = [0, 1].map(() => ({ store: openAuditStore("audit"), chained: chaining({ kid: kidOf(text), key }, Date.now) }));
  const drafts = Array.from({ length: 600 }, (_, i) => ({
    id: `twice-${i}`,
    at: 1,
    result: "noted",
    room: "audit",
    action: "audit.twice",
    user: "twice",
  }));
  const halves = [drafts, drafts.toReversed()];
  await Promise.all(stores.flatMap(({ store, chained }, i) => [store.write(halves[i]!, chained), store.write(drafts, chained)]));
  const rows = await stores[0]!.store.find({ user: "twice" }, 2_000);
  assert.equal(rows.length, 600);
  await Promise.all(stores.map(({ store }) => store.close()));
});

test("a report is an entry of the node that made it: it takes the place of no commit, and says no event", async () => {
  const [commit] = await entries(1, { room: "inventory" });
  const report = (over: object) =>
    broker.call("v1.audit.report", {
      items: [{ id: commit!.id, at: 1, count: 1, result: "refused", action: "v1.sagas.retry", code: "NOT_ALLOWED", status: 403, ...over }],
    });
  for (const _ of [1, 2]) await report({});
  const [entry] = await entries(1, { room: "sagas" });
  assert.deepEqual(
    [entry!.id, entry!.node, entry!.at],
    [`report ${broker.nodeID} ${commit!.id}`, broker.nodeID, new Date(1).toISOString()],
  );
  const { day, n } = entry!;
  for (const over of [{ id: `unsealed ${day}/${n} kid` }, { action: "audit.unsealed" }, { action: "inventory.StockReceived" }])
    await assert.rejects(report(over), { code: 422 });
  await report({ id: "dropped-1", action: "audit.dropped", result: "noted", count: 3 });
  await entries(1, { room: "audit", action: "audit.dropped" });
});

test("what a caller of another node says of himself, however long, silences no report", async () => {
  const cause = "x".repeat(3_000);
  const long = { ...by({ id: "u".repeat(3_000), roles: ["r".repeat(300)] }, { cause }), requestID: "r".repeat(300) };
  await assert.rejects(broker.call("v1.customers.create", { id: "x", name: "X" }, long), { code: 403 });
  await assert.rejects(broker.call("v1.customers.create", { id: "x", name: "X" }, by({ id: "zoe", roles: ["reader"] })), { code: 403 });
  await entries(1, { user: "zoe" });
  const found = (await list({ room: "customers", result: "refused" })).items.find(({ user }) => user?.startsWith("uuu"));
  assert.deepEqual([found!.user!.length, found!.cause], [200, cause.slice(0, 200)]);
});

test("what is written is one chain under the key that roots tells, to its end", async () => {
  const { key, roots } = await broker.call<{ key: string; roots: { day: string; n: number; chain: string }[] }, object>(
    "v1.audit.roots",
    {},
    by(auditor),
  );
  const findings: Finding[] = [];
  const anchors = new Map(roots.map(({ day, n, chain }) => [`${day}/${n}`, chain]));
  const verifier = new Verifier({
    keys: new Map([[kidOf(key), publicKeyOf(key)!]]),
    anchors,
    every: 1,
    found: (finding) => findings.push(finding),
  });
  const store = openAuditStore("audit");
  for (let last: { day: string; n: number } | undefined; ; ) {
    const rows = await store.rows(last, 100);
    for (const row of rows) verifier.take(row);
    if (rows.length === 0) break;
    last = rows.at(-1);
  }
  verifier.finish();
  await store.close();
  assert.deepEqual(findings, []);
  assert.ok(verifier.entries > 600, setting);
});

test("every room that has a record is followed", async () => {
  const { SOURCES } = await import("../../services/audit/audit.service.ts");
  const keeps = (schema: ServiceSchema): boolean =>
    schema.metadata?.actor === true ||
    "entity" in (schema.settings ?? {}) ||
    [schema.mixins ?? []].flat().some((mixin) => keeps(mixin as ServiceSchema));
  const rooms: string[] = [];
  for (const path of globSync("services/*/*.service.ts", { cwd: HOUSE })) {
    const { default: schema } = (await import(join(HOUSE, path))) as { default: ServiceSchema };
    if (keeps(schema)) rooms.push(schema.name);
  }
  assert.deepEqual([...SOURCES], rooms.sort());
});
