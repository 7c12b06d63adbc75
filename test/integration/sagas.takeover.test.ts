import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { idsOn, type Node, startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";

const skip = without("nats", "mongo");
const SAGAS = 1_000;
const products = Array.from({ length: 20 }, (_, n) => `p${n}`);

interface Deal {
  status: string;
}

const PATIENCE = 30; // seconds

const startServers = async (t: TestContext) => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  return { TRANSPORTER: nats.url, MONGO_URL: mongo.url, BUS_MAX_MEGABYTES: "16" };
};

/** Whether none of a room's sagas is under way any more. */
const allEnded = async (node: Node, room: string): Promise<boolean> => {
  const list = (status: string) => node.call<{ items: object[] }>(`v1.${room}.sagas.list`, { status, limit: 1 });
  const lists = await Promise.all(["running", "undoing"].map(list)).catch(() => undefined); // the dead node may still be asked
  return lists?.every(({ items }) => items.length === 0) ?? false;
};

test("the node that confirms 1,000 deals is killed: another one ends all of their sagas within 30 seconds", {
  skip,
  timeout: 150_000,
}, async (t) => {
  const env = await startServers(t);
  const [stock, dying, heir] = await Promise.all([
    startMember(t, "stock", { rooms: ["inventory", "products"], env }),
    startMember(t, "deals-1", { rooms: ["deals"], env }),
    startMember(t, "deals-2", { rooms: ["deals"], env }),
  ]);
  const receive = (product: string) => stock.call("v1.inventory.receive", { id: "r", product, quantity: "100000", cost: "1" });
  await Promise.all(products.map(receive));
  await until(() =>
    dying
      .call("v1.inventory.get", { product: "p0" })
      .then(() => heir.call("v1.inventory.get", { product: "p0" }))
      .then(
        () => true,
        () => false,
      ),
  );
  const ids = idsOn("deals-1", ["deals-1", "deals-2"], SAGAS);
  assert.equal(ids.length, SAGAS);
  const open = (id: string, n: number) => {
    const lines = [{ product: products[n % products.length]!, kind: "goods", quantity: "1", rate: "3" }];
    return dying.call("v1.deals.open", { id, saleParty: "acme", currency: "GBP", lines, hint: false });
  };
  await Promise.all(ids.map(open));

  const statuses = async () => {
    const deals = await Promise.all(ids.map((id) => heir.call<Deal>("v1.deals.get", { id }).catch(() => ({ status: "unheard" }))));
    return Map.groupBy(deals, ({ status }) => status);
  };
  stock.process.kill("SIGSTOP"); // all are on their way to the stock, and none comes further
  for (const id of ids) dying.call("v1.deals.confirm", { id }).catch(() => {});
  await until(async () => (await statuses()).get("confirming")?.length === SAGAS);
  const killed = performance.now();
  await dying.stop("SIGKILL");
  stock.process.kill("SIGCONT");
  await until(async () => (await statuses()).get("confirmed")?.length === SAGAS);
  await until(() => allEnded(heir, "deals"));
  const seconds = (performance.now() - killed) / 1_000;
  for (const product of products) {
    const { reserved } = await stock.call<{ reserved: string }>("v1.inventory.get", { product });
    assert.equal(reserved, String(SAGAS / products.length), "each deal holds what it sells, once");
  }
  t.diagnostic(`all of ${SAGAS} sagas had ended ${seconds.toFixed(1)} s after the kill`);
  assert.ok(seconds < PATIENCE, `it took ${seconds} s`);
});

test("the node that runs 1,000 sagas which are in the record as under way is killed: another one ends them within 30 seconds", {
  skip,
  timeout: 150_000,
}, async (t) => {
  const env = await startServers(t);
  const modules = ["test/support/trips.service.ts"];
  const [dying, heir] = await Promise.all([startMember(t, "trips-1", { modules, env }), startMember(t, "trips-2", { modules, env })]);
  const ids = idsOn("trips-1", ["trips-1", "trips-2"], SAGAS);
  await until(() => dying.call("v1.trips.words", { id: ids[0]! }).then(() => true));
  const plan = { "print+": 7 }; // the last step, which cannot be undone, fails for some seconds wherever it is made
  for (const id of ids) dying.call("v1.trips.make", { id, plan }).catch(() => {});
  const sagas = async (status: "running" | "completed") => {
    let found: { id: string }[] = [];
    for (let after = "", more = true; more; after = found.at(-1)?.id ?? "") {
      const { items } = await heir.call<{ items: { id: string }[] }>("v1.trips.sagas.list", { status, after, limit: 200 });
      found = [...found, ...items];
      more = items.length === 200;
    }
    return found.length;
  };
  let running = 0;
  await until(async () => {
    running = await sagas("running"); // first: one that ends meanwhile is counted twice, and none is missed
    return running + (await sagas("completed")) >= SAGAS;
  });
  assert.ok(running > SAGAS / 2, `of the first too many have ended before the last have begun: ${running} run`);
  const killed = performance.now();
  await dying.stop("SIGKILL");
  await until(() => allEnded(heir, "trips"));
  const seconds = (performance.now() - killed) / 1_000;
  t.diagnostic(`all of ${SAGAS} sagas had ended ${seconds.toFixed(1)} s after the kill`);
  for (const id of ids) {
    const { words } = await heir.call<{ words: string[] }>("v1.trips.words", { id });
    assert.deepEqual(words, ["seat+", "room+", "pay+ seat 7", "print+"], "each step was made, and once");
  }
  assert.ok(seconds < PATIENCE, `it took ${seconds} s`);
});
