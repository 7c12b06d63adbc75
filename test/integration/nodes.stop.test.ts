import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect } from "nats";
import { freePort, type Server, startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { idsOn, type Node, startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { startSystem } from "../support/system.ts";

const skip = without("nats", "mongo");
const TRIPS = ["test/support/trips.service.ts"];
const TALLIES = ["test/support/tally.service.ts"];
const PATIENCE = 10_000;

interface Row {
  id: string;
  owner: string;
}

const startServers = async (t: TestContext): Promise<{ nats: Server; env: Record<string, string> }> => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  return { nats, env: { TRANSPORTER: nats.url, MONGO_URL: mongo.url, BUS_MAX_MEGABYTES: "16" } };
};

/** How long the node takes to end; it must end well. */
const timeToStop = async (node: { stop(): Promise<number | null> }): Promise<number> => {
  const start = performance.now();
  assert.equal(await node.stop(), 0);
  return performance.now() - start;
};

const open = (id: string) => ({
  method: "POST",
  body: { id, saleParty: "acme", currency: "GBP", lines: [{ product: "p", kind: "goods", quantity: "1", rate: "3" }], hint: false },
});

test("a node is told to stop amid a deal that takes long: it is not ready, is asked no more, answers what it took, and leaves the deal to another", {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { env } = await startServers(t);
  const port = await freePort();
  const [door, stock, , leaving] = await Promise.all([
    startSystem(t, { ...env, NODE_ID: "door" }, ["gateway"]),
    startMember(t, "stock", { rooms: ["inventory"], env }),
    startSystem(t, { ...env, NODE_ID: "staying" }, ["deals"]),
    startSystem(t, { ...env, NODE_ID: "leaving", STATUS_PORT: String(port) }, ["deals"]),
  ]);
  const status = async (page: string) => (await ask(`http://127.0.0.1:${port}/health/${page}`)).status;
  const deals = `${door.url}/api/v1/deals`;
  const [slow, other] = idsOn("leaving", ["staying", "leaving"], 2) as [string, string];
  await stock.call("v1.inventory.receive", { id: "r", product: "p", quantity: "10", cost: "1" });
  await until(async () => (await ask(deals, open(slow))).status === 201);
  await ask(deals, open(other));
  stock.process.kill("SIGSTOP");
  const confirming = ask(`${deals}/${slow}/confirm`, { method: "POST", body: {} });
  await until(async () => (await ask(`${deals}/${slow}`)).json.status === "confirming");
  assert.deepEqual([await status("live"), await status("ready")], [200, 200]);

  const stopping = timeToStop(leaving);
  await until(async () => (await status("ready")) === 503);
  assert.equal(await status("live"), 200);
  for (let n = 0; n < 20; n++) assert.equal((await ask(`${deals}/${other}`)).status, 200);
  const told = await confirming;
  assert.deepEqual([told.status, told.json.status], [200, "confirming"], "it goes on, elsewhere");
  const ms = await stopping;
  t.diagnostic(`it ended after ${Math.round(ms)} ms`);
  assert.ok(ms < PATIENCE);
  stock.process.kill("SIGCONT");
  await until(async () => (await ask(`${deals}/${slow}`)).json.status === "confirmed");
  assert.equal((await stock.call<{ reserved: string }>("v1.inventory.get", { product: "p" })).reserved, "1");
});

test("a node that stops leaves its sagas to another, which goes on with them at once", { skip, timeout: 60_000 }, async (t) => {
  const { env } = await startServers(t);
  const member = (id: string) => startMember(t, id, { modules: TRIPS, env });
  const first = await member("trips-1"); // from now on it looks after the sagas of the dead
  await first.call("v1.trips.make", { id: "own", plan: {} });
  const list = async (node: Node, status: string) =>
    (await node.call<{ items: Row[] }>("v1.trips.sagas.list", { status, limit: 200 })).items.map(({ owner }) => owner);
  const [itself] = await list(first, "completed");
  const second = await member("trips-2");
  const ids = idsOn("trips-2", ["trips-1", "trips-2"], 30);
  for (const id of ids) second.call("v1.trips.make", { id, plan: { "print+": 1_000 } }).catch(() => {});
  await until(async () => (await list(first, "running")).length === ids.length);
  assert.ok((await list(first, "running")).some((owner) => owner !== itself));

  const handedOver = async (leaving: Node, staying: Node, done: (owners: string[]) => boolean) => {
    const ms = await timeToStop(leaving);
    const stopped = performance.now();
    await until(async () => done(await list(staying, "running").catch(() => [""])));
    const after = performance.now() - stopped;
    t.diagnostic(`it ended after ${Math.round(ms)} ms, and ${Math.round(after)} ms later all of its sagas were another's`);
    assert.ok(ms < PATIENCE);
    assert.ok(after < 1_000);
    const errors = leaving.errors().filter((line) => !line.includes("saga.stuck"));
    assert.deepEqual(errors, []);
  };
  await handedOver(second, first, (owners) => owners.length === ids.length && owners.every((owner) => owner === itself));
  const third = await member("trips-2");
  await until(() => third.call("v1.trips.words", { id: "own" }));
  await handedOver(first, third, (owners) => owners.length === ids.length && owners.every((owner) => owner !== itself));
});

/** How many events of the room are on the bus. */
const carried = async (nats: Server, room: string): Promise<number | undefined> => {
  const connection = await connect({ servers: nats.url });
  const manager = await connection.jetstreamManager();
  const found = await manager.streams.info(`banyan_${room}`).catch(() => undefined); // it is made with its first event
  await connection.close();
  return found?.state.messages;
};

const adds = (node: Node, many: number) =>
  Promise.all(Array.from({ length: many }, (_, n) => node.call("v1.tally.add", { id: `t-${n}`, amount: 1 })));

test("a node that stops publishes what it has stored", { skip, timeout: 60_000 }, async (t) => {
  const { nats, env } = await startServers(t);
  const node = await startMember(t, "tally", { modules: TALLIES, env });
  await adds(node, 1);
  await until(async () => (await carried(nats, "tally")) === 1);
  nats.signal("SIGSTOP");
  await adds(node, 100); // stored, and on no bus
  const told = once(node.process, "message");
  const stopping = timeToStop(node);
  await told; // that it stops
  nats.signal("SIGCONT");
  assert.ok((await stopping) < PATIENCE);
  assert.deepEqual(node.errors(), []);
  assert.equal(await carried(nats, "tally"), 101);
});

test("a node stops in time also while the bus is away, and the next one publishes what it has stored", {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { nats, env } = await startServers(t);
  const node = await startMember(t, "tally", { modules: TALLIES, env });
  await adds(node, 1);
  await until(async () => (await carried(nats, "tally")) === 1);
  nats.signal("SIGSTOP");
  await adds(node, 50);
  const ms = await timeToStop(node);
  t.diagnostic(`it ended after ${Math.round(ms)} ms`);
  assert.ok(ms < PATIENCE);
  nats.signal("SIGCONT");
  await startMember(t, "tally", { modules: TALLIES, env });
  await until(async () => (await carried(nats, "tally")) === 51);
});
