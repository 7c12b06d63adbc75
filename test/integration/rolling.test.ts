import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { freePort, startServer } from "../servers/start.ts";
import { balancer } from "../support/balancer.ts";
import { without } from "../support/cluster.ts";
import { nextVersion } from "../support/next-version.ts";
import { until } from "../support/other-node.ts";
import { shoppers } from "../support/shoppers.ts";
import { HOUSE, type System, startSystem } from "../support/system.ts";

const skip = without("nats", "mongo");
const ROOMS = ["analytics", "customers", "deals", "events", "inventory", "products", "sagas"];
const NODES = ["node-1", "node-2", "node-3"];
const PER_SECOND = 500;
const products = Array.from({ length: 20 }, (_, n) => `p${n}`);
const customers = Array.from({ length: 20 }, (_, n) => `c${n}`);

/** Three nodes with all rooms and two gateways behind a load balancer, each a process of this version; each can be replaced by another. */
const startAll = async (t: TestContext) => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  const env = { TRANSPORTER: nats.url, MONGO_URL: mongo.url, BUS_MAX_MEGABYTES: "16", RATE_LIMIT: "0" };
  const ports = [await freePort(), await freePort()];
  const running = new Map<string, System>();
  const startNode = async (id: string, house = HOUSE) =>
    void running.set(id, await startSystem(t, { ...env, NODE_ID: id, LOG_LEVEL: "info" }, ROOMS, house));
  const startDoor = async (id: string, port: number, house = HOUSE) =>
    void running.set(id, await startSystem(t, { ...env, NODE_ID: id, PORT: String(port) }, ["gateway"], house));
  await Promise.all([...NODES.map((id) => startNode(id)), ...ports.map((port, n) => startDoor(`door-${n}`, port))]);
  const balanced = balancer(
    t,
    ports.map((port) => `http://127.0.0.1:${port}`),
  );
  await until(() => balanced.ready().length === 2);
  const stop = async (id: string) => assert.equal(await running.get(id)!.stop(), 0, `${id} ends well, and within its 9 seconds`);
  return {
    ...balanced,
    /** One after another, each waited for until it serves. */
    async restartAll(house = HOUSE) {
      for (const id of NODES) {
        await stop(id);
        await startNode(id, house);
      }
      for (const [n, port] of ports.entries()) {
        await stop(`door-${n}`);
        await startDoor(`door-${n}`, port, house);
        await until(() => balanced.ready().length === 2);
      }
    },
  };
};

type Cluster = Awaited<ReturnType<typeof startAll>>;

/** A deal with more commits than are folded without a snapshot. */
const longDeal = async ({ send }: Cluster, id: string, notes: number) => {
  const lines = [{ product: products[0], kind: "goods", quantity: "1", rate: "3" }];
  assert.equal((await send("POST", "/api/v1/deals", { id, saleParty: "c0", currency: "GBP", lines })).status, 201);
  for (let n = 0; n < notes; n += 50) {
    const told = await Promise.all(Array.from({ length: 50 }, () => send("POST", `/api/v1/deals/${id}/notes`, { text: "n" })));
    assert.ok(told.every(({ status }) => status === 200));
  }
};

/** What is traded with. */
const stockUp = async ({ send }: Cluster) => {
  const everywhere = async (path: string) => {
    for (let n = 0; n < 10; n++) if ((await send("GET", path)).status !== 200) return false;
    return true;
  };
  await until(() => everywhere("/api/v1/deals"));
  await until(() => everywhere("/api/v1/customers"));
  const receipt = { id: "r", quantity: "100000", cost: "1" };
  const received = await Promise.all(products.map((product) => send("POST", `/api/v1/inventory/${product}/receipts`, receipt)));
  const named = await Promise.all(customers.map((id) => send("POST", "/api/v1/customers", { id, name: `Customer ${id}` })));
  for (const { status, json } of [...received, ...named]) assert.ok(status < 300, JSON.stringify(json));
};

/** Nothing fails meanwhile, and all that was told is so afterwards. */
const underLoad = async (t: TestContext, { send }: Cluster, traffic: ReturnType<typeof shoppers>, work: () => Promise<void>) => {
  const start = performance.now();
  const before = traffic.answered();
  await work();
  const rate = ((traffic.answered() - before) / (performance.now() - start)) * 1_000;
  const told = await traffic.stop();
  t.diagnostic(`${told.answered} requests, ${Math.round(rate)} a second; the slowest took ${Math.round(told.slowest)} ms`);
  assert.deepEqual(told.failures.slice(0, 10), []);
  for (const id of told.confirmed) await until(async () => (await send("GET", `/api/v1/deals/${id}`)).json.status === "confirmed");
  for (const [id, many] of told.noted) {
    const { json } = await send("GET", `/api/v1/deals/${id}`);
    assert.equal((json.notes as string[]).length, many, `${id} has every note, once`);
  }
  return told;
};

test("all nodes and gateways are restarted one after another under 500 requests a second, and none fails", {
  skip,
  timeout: 180_000,
}, async (t) => {
  const cluster = await startAll(t);
  await stockUp(cluster);
  const traffic = shoppers(t, cluster.send, PER_SECOND, { products, customers, rates: () => false });
  await until(() => traffic.answered() > PER_SECOND);
  await underLoad(t, cluster, traffic, () => cluster.restartAll());
});

test("all are replaced by their next version, which writes an event, a field and a snapshot that the old one does not know: none fails", {
  skip,
  timeout: 180_000,
}, async (t) => {
  const next = nextVersion(t);
  const cluster = await startAll(t);
  const { send } = cluster;
  await stockUp(cluster);
  await longDeal(cluster, "long", 700);
  const traffic = shoppers(t, send, PER_SECOND, { products, customers, rates: () => rates });
  let rates = false;
  const routed = async () => {
    for (let n = 0; n < 10; n++) if ((await send("POST", "/api/v1/deals/long/rating", { stars: 4 })).status !== 200) return false;
    return true;
  };
  await until(() => traffic.answered() > PER_SECOND);
  const { rated } = await underLoad(t, cluster, traffic, async () => {
    const replaced = cluster.restartAll(next);
    await until(routed); // as soon as one node can do it, while the others and both gateways are old ones
    rates = true;
    await replaced;
  });
  assert.ok(rated.size > 0);
  for (const id of rated.keys()) assert.equal((await send("GET", `/api/v1/deals/${id}`)).json.stars, 5);
  const { json } = await send("GET", "/api/v1/deals/long");
  assert.deepEqual([(json.notes as string[]).length, json.stars], [700, 4]);
  const lines = [{ product: "p0", kind: "goods", quantity: "1", rate: "3" }];
  assert.equal((await send("POST", "/api/v1/deals", { saleParty: "c0", currency: "GBP", lines })).json.channel, "web");
});
