import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { log } from "../../mixins/runtime/logger.ts";
import { RedisHost } from "../../mixins/storage/redis.host.ts";
import { RedisSharedLimit } from "../../mixins/storage/redis.shared-limit.ts";
import { SharedRateLimit } from "../../services/gateway/limits.shared.ts";
import type { Limit } from "../../services/gateway/limits.ts";
import { type Server, startServer } from "../servers/start.ts";
import { authorization } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder, startSystem } from "../support/system.ts";

let server: Server;
before(async () => {
  log.level = "error";
  server = await startServer("redis");
});
after(() => server.stop());

/** A gateway's own view of the limit, and how often it has asked for tokens. */
const gateway = async (t: TestContext, rate: number, { url } = server) => {
  const host = new RedisHost(url);
  t.after(() => host.close());
  const shared = new RedisSharedLimit(host);
  await until(() => host.up);
  const take = t.mock.method(shared, "take");
  return { host, limit: new SharedRateLimit(rate, shared), asked: () => take.mock.callCount() };
};

/** Asks as fast as it can until the moment, and answers how often it was let through. */
const hammer = async (limit: Limit, client: string, end: number): Promise<number> => {
  let admitted = 0;
  for (let i = 0; performance.now() < end; i++) {
    if ((await limit.take(client, performance.now())) === 0) admitted++;
    else await delay(1);
    if (i % 100 === 99) await delay(0);
  }
  return admitted;
};

const RATE = 500;

test("two gateways together let through what one would, and ask for it now and then", async (t) => {
  const [one, other] = [await gateway(t, RATE), await gateway(t, RATE)];
  const began = performance.now();
  const ends = began + 2_000;
  const admitted = (await Promise.all([one, other].map(({ limit }) => hammer(limit, "busy", ends)))) as [number, number];
  const time = (performance.now() - began) / 1_000;
  const sum = admitted[0] + admitted[1];
  assert.ok(sum <= RATE * time + 2 * RATE + (2 * RATE) / 10, `${admitted} in ${time} s`);
  assert.ok(sum >= 0.7 * (RATE * time + 2 * RATE), `${admitted} in ${time} s`);
  assert.ok(Math.min(...admitted) > sum / 10, "each of them some");
  assert.equal(await one.limit.take("quiet", performance.now()), 0, "others are served");
});

test("a busy client's tokens are taken in batches", async (t) => {
  const { limit, asked } = await gateway(t, 10_000);
  let waited = 0;
  for (let i = 0; i < 5_000; i++) {
    const wait = limit.take("batches", performance.now());
    if (typeof wait !== "number") waited++;
    assert.equal(await wait, 0);
    if (i % 10 === 9) await delay(1);
  }
  assert.ok(asked() < 100 && waited < 50, `${asked()} asked, ${waited} waited`);
});

test("a slow limit is exact: two at once, wherever they come in", async (t) => {
  const [one, other] = [await gateway(t, 1), await gateway(t, 1)];
  const asks = Array.from({ length: 20 }, (_, i) => (i % 2 ? one : other).limit.take("slow", performance.now()));
  const waits = await Promise.all(asks);
  assert.equal(waits.filter((wait) => wait === 0).length, 2);
  assert.ok(waits.every((wait) => wait === 0 || wait === 1));
  assert.ok(one.asked() + other.asked() < 20, "who comes at the same moment asks together");
});

test("Redis killed on the way: each gateway counts for itself from what it let through; back again, they share", async (t) => {
  const own = await startServer("redis");
  t.after(() => own.stop());
  const gateways = [await gateway(t, RATE, own), await gateway(t, RATE, own)];
  const spend = async (milliseconds: number) => {
    const began = performance.now();
    const counts = await Promise.all(gateways.map(({ limit }) => hammer(limit, "c", began + milliseconds)));
    return { counts: counts as [number, number], most: RATE * ((performance.now() - began) / 1_000) };
  };
  await spend(500);
  await own.end("SIGKILL");
  await until(() => gateways.every(({ host }) => !host.up));
  const away = await spend(1_000);
  for (const count of away.counts) {
    assert.ok(count > 0.5 * RATE, "requests go on");
    assert.ok(count <= away.most + 2 * RATE, `${count}: limited all the same`);
  }
  await own.again();
  await until(() => gateways.every(({ host }) => host.up));
  await spend(500); // the bucket that Redis has forgotten begins full
  const back = await spend(1_000);
  assert.ok(back.counts[0] + back.counts[1] <= back.most + (2 * RATE) / 10 + 2 * RATE, `${back.counts}`);
});

test("Redis that holds still keeps requests waiting for a quarter of a second once", async (t) => {
  const own = await startServer("redis");
  t.after(() => own.stop());
  const { host, limit } = await gateway(t, RATE, own);
  own.signal("SIGSTOP");
  const began = performance.now();
  assert.deepEqual(await Promise.all(Array.from({ length: 10 }, (_, i) => limit.take(`c${i}`, began))), Array(10).fill(0));
  assert.ok(performance.now() - began < 700);
  assert.equal(limit.take("c", performance.now()), 0, "at once");
  own.signal("SIGCONT");
  await until(() => host.up);
});

test("two processes share a limit; without Redis they go on, say so once and stay ready", async (t) => {
  const own = await startServer("redis");
  t.after(() => own.stop());
  const start = () => startSystem(t, { DATA_DIR: folder(t), ROOMS: "gateway", REDIS_URL: own.url, RATE_LIMIT: "50" });
  const systems = await Promise.all([start(), start()]);
  const logs = systems.map(({ process }) => {
    const said = { text: "" };
    process.stdout!.setEncoding("utf8").on("data", (text) => {
      said.text += text;
    });
    return said;
  });
  const redisOf = async (url: string) => {
    const { status, json } = await ask(`${url}/health/ready`);
    return [status, (json.dependencies as Record<string, string>).redis];
  };
  for (const { url } of systems) await until(async () => (await redisOf(url))[1] === "answers");
  const spend = async () => {
    const began = performance.now();
    const statuses: number[] = [];
    for (let i = 0; i < 15; i++) {
      const asks = Array.from({ length: 20 }, (_, n) => ask(`${systems[n % 2]!.url}/nothing`));
      for (const { status } of await Promise.all(asks)) statuses.push(status);
    }
    const passed = statuses.filter((status) => status !== 429).length;
    assert.ok(statuses.every((status) => status === 404 || status === 429));
    return { passed, refilled: (50 * (performance.now() - began)) / 1_000 };
  };
  const shared = await spend();
  assert.ok(shared.passed <= 100 + shared.refilled + 10, JSON.stringify(shared));
  await own.end("SIGKILL");
  for (const { url } of systems) {
    await until(async () => (await redisOf(url))[1] === "does not answer, and is done without");
    assert.equal((await redisOf(url))[0], 200);
    await until(async () => (await ask(`${url}/nothing`)).status === 404);
  }
  for (const { stop } of systems) assert.equal(await stop(), 0);
  for (const { text } of logs) assert.equal(text.split('"event":"redis.away"').length, 2, "one warning");
});

test("what a request says is read though it has to wait for Redis, and one that goes away meanwhile leaves nothing behind", async (t) => {
  const own = await startServer("redis");
  t.after(() => own.stop());
  const { url } = await startSystem(t, { DATA_DIR: folder(t), ROOMS: "gateway,customers", REDIS_URL: own.url, RATE_LIMIT: "19" });
  await until(async () => JSON.stringify((await ask(`${url}/health/ready`)).json).includes('"redis":"answers"'));
  const name = "x".repeat(150);
  const bodies = Array.from({ length: 10 }, (_, i) => ({ id: `c-${i}`, name, country: "United Kingdom" }));
  for (const answer of await Promise.all(bodies.map((body) => ask(`${url}/api/v1/customers`, { body })))) {
    assert.deepEqual([answer.status, answer.json.name], [201, name], answer.text);
  }
  own.signal("SIGSTOP");
  const headers = { authorization, "Content-Type": "application/json", "Content-Length": 1_000 };
  const left = request(`${url}/api/v1/customers`, { method: "POST", headers, agent: false });
  left.on("error", () => {});
  left.write('{"id":');
  const open = async (many: number) => new RegExp(`^http_requests_open ${many}$`, "m").test((await ask(`${url}/metrics`)).text);
  await until(() => open(2)); // it waits for a token, in the quarter of a second that Redis is given; who asks is the other one
  left.destroy();
  await until(() => open(1));
});
