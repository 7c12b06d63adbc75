import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort, startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder, startSystem } from "../support/system.ts";
import { openDeal } from "../support/trade.ts";

/** A node's figures by name and labels. */
const figuresAt = async (url: string): Promise<Map<string, number>> => {
  const { text } = await ask(`${url}/metrics`);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
};

test("a node tells its requests, actors, followers, sagas and event loop, at the door and at the status port", async (t) => {
  const port = await freePort();
  const system = await startSystem(t, { DATA_DIR: folder(t), STATUS_PORT: String(port) });
  assert.ok(await openDeal(system.url, "d-1"));
  for (const url of [system.url, `http://127.0.0.1:${port}`]) {
    const figures = await until(async () => {
      const found = await figuresAt(url);
      return found.get('banyan_consumer_lag{room="analytics",follower="contributions",source="deals"}') === 0 && found;
    });
    assert.equal(figures.get('banyan_actors_active{room="deals"}'), 1);
    assert.equal(figures.get('banyan_mailbox_waiting{room="deals"}'), 0);
    assert.equal(figures.get('banyan_consumer_parked{room="analytics",follower="contributions",source="deals"}'), 0);
    assert.equal(figures.get('banyan_sagas_running{room="deals"}'), 0);
    assert.equal(figures.get('banyan_sagas_stuck{room="deals"}'), 0);
    assert.equal(figures.get('moleculer_request_time_count{action="v1.deals.open"}'), 1);
    for (const name of ["process_eventloop_delay_p99", "process_eventloop_delay_max", "process_eventloop_utilization"]) {
      assert.ok(figures.get(name)! >= 0, name);
    }
    assert.ok(figures.get("process_eventloop_utilization")! <= 1);
    if (process.env.TRANSPORTER) {
      for (const room of ["deals", "customers"]) {
        assert.equal(figures.get(`banyan_publish_waiting{room="${room}"}`), 0);
        assert.equal(figures.get(`banyan_publish_lag{room="${room}"}`), 0);
      }
    }
  }
});

test("while the bus is away a node tells how much waits for it and for how long, and leaves out what it cannot know", {
  skip: without("nats", "mongo"),
  timeout: 60_000,
}, async (t) => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  const env = { TRANSPORTER: nats.url, MONGO_URL: mongo.url, BUS_MAX_MEGABYTES: "16" };
  const { url } = await startSystem(t, env, ["gateway", "deals"]);
  const lag = 'banyan_consumer_lag{room="deals",follower="deals",source="deals"}';
  assert.ok(await openDeal(url, "d-1"));
  await until(async () => (await figuresAt(url)).get(lag) === 0);
  nats.signal("SIGSTOP");
  assert.ok(await openDeal(url, "d-2"));
  const start = performance.now();
  const away = await until(async () => {
    const figures = await figuresAt(url);
    return figures.get('banyan_publish_lag{room="deals"}')! > 500 && figures;
  });
  assert.ok(performance.now() - start < 5_000);
  assert.equal(away.has(lag), false);
  assert.equal(away.get('banyan_actors_active{room="deals"}'), 2);
  nats.signal("SIGCONT");
  await until(async () => {
    const figures = await figuresAt(url);
    return figures.get('banyan_publish_lag{room="deals"}') === 0 && figures.get(lag) === 0;
  });
});
