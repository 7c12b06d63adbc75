import assert from "node:assert/strict";
import { test } from "node:test";
import { startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { traders } from "../support/traders.ts";

const skip = without("nats", "mongo");
const DEALS = "test/support/placed.deals.ts";
const ACTORS = 400;
const products = Array.from({ length: 20 }, (_, n) => `p${n}`);

test("a second node of deals takes about half of them and gives them back, twice amid traffic, and no client hears of it", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  const env = { TRANSPORTER: nats.url, MONGO_URL: mongo.url, BUS_MAX_MEGABYTES: "16" };
  const [gateway, stock, first] = await Promise.all([
    startMember(t, "door", { rooms: ["gateway"], env }),
    startMember(t, "stock", { rooms: ["inventory", "products"], env }),
    startMember(t, "deals-1", { modules: [DEALS], env }),
  ]);
  const receive = (product: string) => stock.call("v1.inventory.receive", { id: "r", product, quantity: "100000", cost: "1" });
  await Promise.all(products.map(receive));
  const place = async (n: number) => (await ask(`${gateway.url}/api/v1/deals/d-${n}/place`)).json.node;
  const places = () => Promise.all(Array.from({ length: ACTORS }, (_, n) => place(n)));
  await until(async () => (await place(0)) === "deals-1");

  const traffic = traders(gateway.url, 6, products);
  await until(() => traffic.traded() > 20);
  const shares: number[] = [];
  for (let round = 0; round < 2; round++) {
    const second = await startMember(t, "deals-2", { modules: [DEALS], env });
    await until(async () => (await places()).includes("deals-2"));
    const shared = await places();
    const moved = shared.filter((node) => node === "deals-2").length;
    shares.push(moved / ACTORS);
    assert.ok(moved > ACTORS * 0.4 && moved < ACTORS * 0.6, `${moved} of ${ACTORS} moved`);
    assert.equal(shared.filter((node) => node === "deals-1").length, ACTORS - moved);
    const traded = traffic.traded();
    await until(() => traffic.traded() > traded + 20);
    assert.deepEqual(await places(), shared, "they stay where they are");
    assert.equal(await second.stop(), 0);
    assert.deepEqual(second.errors(), []);
    assert.ok((await places()).every((node) => node === "deals-1"));
    await until(() => traffic.traded() > traded + 40);
  }
  const { answered, failures, slowest, deals } = await traffic.stop();
  assert.deepEqual(failures, []);
  for (const { id, status, country, notes } of deals) {
    assert.deepEqual([id, status, country], [id, "confirmed", "EIRE"]);
    assert.deepEqual((notes as string[]).toSorted(), ["one", "three", "two"]);
  }
  assert.deepEqual([...first.errors(), ...gateway.errors(), ...stock.errors()], []);
  t.diagnostic(
    `${shares.map((share) => `${Math.round(share * 100)} %`).join(" and ")} moved; ${answered} requests, the slowest took ${Math.round(slowest)} ms`,
  );
});
