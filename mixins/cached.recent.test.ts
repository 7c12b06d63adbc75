import assert from "node:assert/strict";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { type Server, startServer } from "../test/servers/start.ts";
import { board, type Chalk } from "../test/support/board.service.ts";
import { until } from "../test/support/other-node.ts";
import { log } from "./runtime/logger.ts";
import { RedisHost } from "./storage/redis.host.ts";
import { RedisSharedCache } from "./storage/redis.shared-cache.ts";

let server: Server;
before(async () => {
  log.level = "error";
  server = await startServer("redis");
});
after(() => server.stop());

let chalk: Chalk;
beforeEach(() => {
  chalk = { word: "first", reads: 0 };
});

const LONG = 60_000;

/** A node of its own with a board, which has heard from Redis. */
const startNode = async (t: TestContext, { url } = server) => {
  const broker = new ServiceBroker({ logger: false });
  const host = new RedisHost(url);
  const cache = new RedisSharedCache(host);
  broker.createService(board(chalk, () => cache));
  const listens = new Promise<void>((resolve) => {
    const silence = cache.listen((topic) => {
      if (topic === undefined) resolve();
      silence();
    });
  });
  await broker.start();
  await until(() => host.up);
  await listens;
  await cache.invalidate("board"); // what another test left
  t.after(() => broker.stop());
  const read = async (within = LONG, key?: string) => (await broker.call<{ word: string }, object>("v1.board.read", { within, key })).word;
  return { host, read, write: (word: string) => broker.call("v1.board.write", { word }) };
};

test("what one node has read another is given, and each keeps it", async (t) => {
  const [one, other] = [await startNode(t), await startNode(t)];
  for (let i = 0; i < 10; i++) assert.deepEqual([await one.read(), await other.read()], ["first", "first"]);
  assert.equal(chalk.reads, 1);
});

test("after a write no node shows what was there before, but for the moment in which it hears of it", async (t) => {
  const [one, other] = [await startNode(t), await startNode(t)];
  for (let i = 1; i <= 20; i++) {
    await other.read();
    await one.write(`word ${i}`);
    assert.equal(await one.read(), `word ${i}`, "whoever wrote sees it at once");
    await until(async () => (await other.read()) === `word ${i}`);
  }
});

test("what was read before a write and arrives after it is given to those who had asked, and to nobody else", async (t) => {
  const [one, other] = [await startNode(t), await startNode(t)];
  const { promise, resolve } = Promise.withResolvers<void>();
  chalk.hold = promise;
  const early = one.read();
  await until(() => chalk.reads === 1);
  await other.write("second");
  const late = other.read();
  await until(() => chalk.reads === 2);
  resolve();
  assert.deepEqual([await early, await late], ["first", "second"]);
  assert.equal(await other.read(), "second");
  await until(async () => (await one.read()) === "second");
  assert.equal(await other.read(), "second");
});

test("of fifty who ask two nodes at once for what takes a while, one loads it for all", async (t) => {
  const [one, other] = [await startNode(t), await startNode(t)];
  chalk.hold = new Promise((resolve) => setTimeout(resolve, 50));
  const words = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? one : other).read()));
  assert.ok(words.every((word) => word === "first"));
  assert.ok(chalk.reads <= 2, "each node once at most: the second where a machine is so busy that its patience ends first");
});

test("whoever waits for another node's load loads at last himself", async (t) => {
  const [one, other] = [await startNode(t), await startNode(t)];
  const { promise, resolve } = Promise.withResolvers<void>();
  chalk.hold = promise;
  const stuck = one.read();
  await until(() => chalk.reads === 1);
  chalk.hold = undefined;
  const began = performance.now();
  assert.equal(await other.read(), "first");
  assert.ok(performance.now() - began < 1_500);
  assert.equal(chalk.reads, 2);
  resolve();
  await stuck;
});

test("a load that fails is not kept, and whoever waits for it does not wait long", async (t) => {
  const [one, other] = [await startNode(t), await startNode(t)];
  chalk.word = "unreadable";
  await assert.rejects(one.read());
  chalk.word = "readable";
  assert.deepEqual([await other.read(), await one.read()], ["readable", "readable"]);
});

test("a write that could not be told is seen when the answer is too old", async (t) => {
  const one = await startNode(t);
  assert.equal(await one.read(300), "first");
  chalk.word = "written by nobody we hear of";
  assert.equal(await one.read(300), "first");
  await until(async () => (await one.read(300)) !== "first");
});

test("while Redis is away each node goes on for itself, and shares again when it is back", async (t) => {
  const own = await startServer("redis");
  t.after(() => own.stop());
  const [one, other] = [await startNode(t, own), await startNode(t, own)];
  await one.read();
  await own.end("SIGKILL");
  await until(() => !one.host.up && !other.host.up);
  await one.write("second");
  assert.equal(await one.read(), "second");
  const before = chalk.reads;
  for (let i = 0; i < 5; i++) await one.read();
  assert.equal(chalk.reads, before, "it keeps what it reads");
  assert.equal(await other.read(), "second", "what was kept may have been changed without its hearing of it");
  await own.again();
  await until(() => one.host.up && other.host.up);
  await one.write("third");
  await until(async () => (await other.read()) === "third");
  const reads = chalk.reads;
  for (let i = 0; i < 10; i++) assert.deepEqual([await one.read(), await other.read()], ["third", "third"]);
  assert.ok(chalk.reads <= reads + 2, "shared again, but for what the connection's return threw away");
});

test("where nothing is shared every read is a read", async (t) => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService(board(chalk, () => undefined));
  await broker.start();
  t.after(() => broker.stop());
  for (let i = 0; i < 3; i++) await broker.call("v1.board.read", {});
  assert.equal(chalk.reads, 3);
  await broker.call("v1.board.write", { word: "w" });
});
