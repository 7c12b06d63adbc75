import assert from "node:assert/strict";
import { test } from "node:test";
import { Rendezvous } from "../../mixins/core/rendezvous.strategy.ts";
import { startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";

const skip = without("nats", "mongo");
const SAGAS = 1_000;
const products = Array.from({ length: 20 }, (_, n) => `p${n}`);

interface Deal {
  status: string;
}

/** Ids of deals that live on one node of two. */
const idsOn = (node: string, nodes: string[], many: number): string[] => {
  const strategy = new Rendezvous({} as never, {} as never);
  const endpoints = nodes.map((id) => ({ id })) as never;
  const all = Array.from({ length: many * 4 }, (_, n) => `d-${n}`);
  return all.filter((id) => strategy.select(endpoints, { params: { id } } as never).id === node).slice(0, many);
};

test("the node that runs 1,000 sagas is killed: another one finishes all of them within 30 seconds", {
  skip,
  timeout: 150_000,
}, async (t) => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  const env = { TRANSPORTER: nats.url, MONGO_URL: mongo.url, BUS_MAX_MEGABYTES: "16" };
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
  const list = (status: string) => heir.call<{ items: object[] }>("v1.deals.sagas.list", { status, limit: 1 });
  await until(async () => (await statuses()).get("confirmed")?.length === SAGAS);
  await until(async () => (await Promise.all(["running", "undoing"].map(list))).every(({ items }) => items.length === 0));
  const seconds = (performance.now() - killed) / 1_000;
  for (const product of products) {
    const { reserved } = await stock.call<{ reserved: string }>("v1.inventory.get", { product });
    assert.equal(reserved, String(SAGAS / products.length), "each deal holds what it sells, once");
  }
  t.diagnostic(`all of ${SAGAS} sagas had ended ${seconds.toFixed(1)} s after the kill`);
  assert.ok(seconds < 30, `it took ${seconds} s`);
});
