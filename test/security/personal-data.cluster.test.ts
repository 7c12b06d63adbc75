import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { MongoClient } from "mongodb";
import { connect } from "nats";
import { startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { type Node, startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { folder, run, startSystem } from "../support/system.ts";
import { ready } from "../support/trade.ts";

const MARKERS = ["marked.person@markers.example", "Contact Marker 7f3a", "GB777MARKER42"];

const servers = async (t: TestContext) => {
  const [mongo, nats] = await Promise.all([startServer("mongo"), startServer("nats")]);
  t.after(() => Promise.all([mongo.stop(), nats.stop()]));
  return { MONGO_URL: mongo.url, TRANSPORTER: nats.url, BUS_MAX_MEGABYTES: "16", NAMESPACE: "marked", RATE_LIMIT: "0" };
};

const databases = async (url: string): Promise<string> => {
  const client = new MongoClient(url);
  const { databases } = await client.db().admin().listDatabases();
  const collections = (await Promise.all(databases.map(({ name }) => client.db(name).collections()))).flat();
  const texts = await Promise.all(collections.map(async (one) => `${one.namespace} ${JSON.stringify(await one.find().toArray())}`));
  await client.close();
  return texts.join("\n");
};

const streams = async (url: string): Promise<string> => {
  const nc = await connect({ servers: url });
  const jsm = await nc.jetstreamManager();
  const texts: string[] = [];
  for (const { config, state } of await jsm.streams.list().next()) {
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await jsm.streams.getMessage(config.name, { seq }).catch(() => undefined);
      if (message) texts.push(`${config.name} ${message.subject} ${message.string()}`);
    }
  }
  await nc.close();
  return texts.join("\n");
};

/** All that the trail says to whoever may read it. */
const trail = async (api: (path: string) => ReturnType<typeof ask>): Promise<string> => {
  const { items } = (await api("audit?limit=200")).json as { items: { day: string; n: number }[] };
  return (await Promise.all(items.map(async ({ day, n }) => (await api(`audit/entries/${day}/${n}`)).text))).join("\n");
};

test("in a cluster what is sealed stands in no database, message or backup, and nothing opens it once it is erased", {
  skip: without("mongo", "nats"),
}, async (t) => {
  const env = await servers(t);
  const backups = folder(t);
  const system = await startSystem(t, env);
  await ready(system.url);
  const api = (path: string, method = "GET", body?: object, headers = {}) => ask(`${system.url}/api/v1/${path}`, { method, body, headers });
  const [email, contact, taxId] = MARKERS;
  const customer = { id: "marked", name: "Marked Ltd", taxId, contacts: [{ name: contact }] };
  for (const made of [
    await api("customers", "POST", customer, { "Idempotency-Key": "k1" }),
    await api("users", "POST", { id: "person", name: "Marked Person", email }, { "Idempotency-Key": "k2" }),
  ])
    assert.equal(made.status, 201, made.text);
  const changed = await api("customers/marked", "PATCH", { country: "France" }, { "If-Match": "*" });
  assert.equal(changed.json.taxId, taxId);
  await until(async () => {
    const carried = await streams(env.TRANSPORTER);
    return carried.includes('"marked"') && carried.includes('"person"');
  });
  const made = await run(["mixins/storage/backup.command.ts", "backup", join(backups, "b")], env);
  assert.equal(made.code, 0, made.stderr);
  assert.equal(
    readdirSync(join(backups, "b")).some((name) => name.startsWith("keys")),
    false,
    "a backup has no keys",
  );
  const kept = async () =>
    [
      await databases(env.MONGO_URL),
      await streams(env.TRANSPORTER),
      ...readdirSync(join(backups, "b"))
        .filter((name) => name.endsWith(".zst"))
        .map((name) => zstdDecompressSync(readFileSync(join(backups, "b", name))).toString("latin1")),
    ].join("\n");
  const before = await kept();
  assert.ok(before.split("Marked Ltd").length > 2, "what is not sealed is found like this");
  for (const told of [await streams(env.TRANSPORTER), await trail(api)]) assert.doesNotMatch(told, /Marked (Ltd|Person)/);
  for (const marker of MARKERS) assert.equal(before.includes(marker!), false, marker);

  for (const path of ["customers/marked/erase", "users/person/erase"]) assert.equal((await api(path, "POST", {})).status, 200);
  const repeated = await api("customers", "POST", customer, { "Idempotency-Key": "k1" });
  assert.deepEqual([repeated.status, repeated.json.code], [409, "DOCUMENT_EXISTS"]);
  await until(async () => (await trail(api)).includes('"name":"erased"'));
  const left = [await databases(env.MONGO_URL), await streams(env.TRANSPORTER), await trail(api), repeated.text].join("\n");
  assert.doesNotMatch(left, /Marked (Ltd|Person)/i);
  await system.stop();
  const elsewhere = { ...env, NAMESPACE: "restored" };
  const restored = await run(["mixins/storage/backup.command.ts", "restore", join(backups, "b")], elsewhere);
  assert.equal(restored.code, 0, restored.stderr);
  const keys = join(folder(t), "keys.jsonl");
  for (const [verb, whose] of [
    ["export", env],
    ["import", elsewhere],
  ] as const) {
    const { code, stderr } = await run(["mixins/trust/keys.command.ts", verb, keys], whose);
    assert.equal(code, 0, stderr);
  }
  const second = await startSystem(t, elsewhere);
  await ready(second.url);
  const { json } = await ask(`${second.url}/api/v1/customers/marked`);
  assert.deepEqual([json.name, json.contacts, json.taxId], ["Marked Ltd", null, null]);
  assert.equal((await ask(`${second.url}/api/v1/users/person`)).json.email, null);
});

test("while one master key follows another, nodes with either are one system: customers here, their keys there", {
  skip: without("mongo", "nats"),
}, async (t) => {
  const { RATE_LIMIT, ...env } = await servers(t);
  const [old, next] = ["the key of all tests", "the next one"].map((text) => Buffer.alloc(32, text).toString("base64")) as [string, string];
  const keeper = await startMember(t, "keeper", { rooms: ["auth", "users"], env: { ...env, MASTER_KEY: old, MASTER_KEY_PREVIOUS: next } });
  const trader = await startMember(t, "trader", { rooms: ["customers"], env: { ...env, MASTER_KEY: next, MASTER_KEY_PREVIOUS: old } });
  const stranger = await startMember(t, "stranger", {
    rooms: ["customers"],
    env: { ...env, MASTER_KEY: Buffer.alloc(32, "s").toString("base64") },
  });
  const create = (node: Node, id: string) =>
    node.call<{ taxId: string }>("v1.customers.create", { id, name: id, taxId: "1" }).then(
      ({ taxId }) => taxId,
      ({ type }) => type as string,
    );
  await until(async () => (await create(trader, `c-${performance.now()}`.replace(".", "-"))) === "1");
  assert.equal(await create(stranger, "never"), "VAULT_UNAVAILABLE");
  await keeper.stop();
  await until(async () => (await create(trader, "late")) === "VAULT_UNAVAILABLE");
});
