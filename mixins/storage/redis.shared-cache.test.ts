import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { type Server, startServer } from "../../test/servers/start.ts";
import { until } from "../../test/support/other-node.ts";
import { startProxy } from "../../test/support/proxy.ts";
import { jsonOf, sharedCacheContract, ticketOf } from "../../test/support/shared-cache.contract.ts";
import { lines } from "../runtime/logger.ts";
import { REDIS_TIMEOUT, RedisHost } from "./redis.host.ts";
import { RedisSharedCache } from "./redis.shared-cache.ts";

let server: Server;
let nodes: { one: RedisSharedCache; other: RedisSharedCache };

const nodeOn = async (url: string) => {
  const host = new RedisHost(url);
  await until(() => host.up);
  return new RedisSharedCache(host);
};

before(async () => {
  server = await startServer("redis");
  nodes = { one: await nodeOn(server.url), other: await nodeOn(server.url) };
});
after(async () => {
  for (const cache of Object.values(nodes)) cache.close();
  await server.stop();
});

sharedCacheContract(() => nodes);

/** A server of the test's own, to be ended as it likes, and what is logged meanwhile. */
const alone = async (t: TestContext, args: string[] = []) => {
  const own = await startServer("redis", { args });
  t.after(() => own.stop());
  const written = t.mock.method(lines, "write", () => {});
  const told = () => written.mock.calls.map(({ arguments: [line] }) => JSON.parse(line!) as Record<string, unknown>);
  const open = (url = own.url) => {
    const host = new RedisHost(url);
    const cache = new RedisSharedCache(host);
    t.after(() => cache.close());
    return { host, cache };
  };
  return { own, told, open };
};

test("Redis that is restarted is done without, told once, and used again; what was begun before is not taken", async (t) => {
  const { own, told, open } = await alone(t);
  const { host, cache } = open();
  await until(() => host.up);
  let gaps = 0;
  cache.listen((topic) => {
    if (topic === undefined) gaps++;
  });
  await until(() => gaps === 1); // it listens
  const late = ticketOf(await cache.claim("t", "k"));
  await own.end("SIGKILL");
  await until(() => !host.up);
  for (let i = 0; i < 50; i++) assert.equal(await cache.claim("t", "k"), undefined);
  await cache.invalidate("t");
  assert.equal(await cache.put("t", "k", late, "1", 1_000), false);
  await own.again();
  await until(() => host.up);
  await until(() => gaps >= 3); // when it went, and when it is listened to again
  assert.equal(await cache.put("t", "k", late, "1", 1_000), false);
  assert.ok(await cache.put("t", "k", ticketOf(await cache.claim("t", "k")), "2", 1_000), "its scripts are given to it again");
  assert.deepEqual(
    told().map(({ level, event }) => [level, event]),
    [
      [40, "redis.away"],
      [30, "redis.back"],
    ],
  );
});

test("Redis that holds still costs a quarter of a second once, and then nothing until it goes on", async (t) => {
  const { own, told, open } = await alone(t);
  const { host, cache } = open();
  await until(() => host.up);
  const ticket = ticketOf(await cache.claim("t", "k"));
  own.signal("SIGSTOP");
  const began = performance.now();
  const [claim, put] = await Promise.all([cache.claim("t", "k"), cache.put("t", "k", ticket, "1", 60_000), cache.invalidate("u")]);
  assert.deepEqual([claim, put], [undefined, false]);
  const first = performance.now() - began;
  assert.ok(first < REDIS_TIMEOUT + 400, `it took ${first} ms`); // with what a busy machine adds
  const then = performance.now();
  for (let i = 0; i < 1_000; i++) assert.equal(await cache.claim("t", "k"), undefined);
  assert.ok(performance.now() - then < REDIS_TIMEOUT, "those after it do not wait");
  own.signal("SIGCONT");
  await until(() => host.up);
  assert.ok(await cache.claim("t", "k"));
  assert.deepEqual(
    told().map(({ event }) => event),
    ["redis.away", "redis.back"],
  );
});

test("a connection that is cut between Redis' deed and its answer leaves nothing that is wrong", async (t) => {
  const { own, open } = await alone(t);
  const proxy = await startProxy(own.port);
  t.after(() => proxy.stop());
  const [far, near] = [open(`redis://127.0.0.1:${proxy.port}`), open()];
  await until(() => far.host.up && near.host.up);
  await far.cache.put("t", "other", ticketOf(await far.cache.claim("t", "other")), "1", 60_000); // Redis knows the scripts from then on
  const ticket = ticketOf(await far.cache.claim("t", "k"));
  proxy.cutAnswers();
  assert.equal(await far.cache.put("t", "k", ticket, '"put"', 60_000), false, "whether it is there is not known");
  await until(async () => jsonOf(await near.cache.claim("t", "k")) === '"put"');
  await until(async () => {
    await far.cache.invalidate("t");
    proxy.mend();
    return far.host.up;
  });
  await far.cache.invalidate("t"); // as the next write does
  assert.equal((await near.cache.claim("t", "k"))?.kind, "load");
});

test("a topic that Redis has dropped to make room takes nothing that was begun before", async () => {
  const { one, other } = nodes;
  const late = ticketOf(await one.claim("evicted", "k"));
  await other.invalidate("evicted"); // and with it goes all that Redis knows of the topic
  ticketOf(await other.claim("evicted", "k"));
  const redis = new Redis(server.url);
  await redis.del("banyan:cache:evicted");
  await redis.quit();
  assert.equal(await one.put("evicted", "k", late, '"old"', 60_000), false);
  ticketOf(await other.claim("evicted", "k"));
  assert.equal(await one.put("evicted", "k", late, '"old"', 60_000), false);
});

test("everything in Redis ends by itself", async () => {
  const redis = new Redis(server.url);
  const { one } = nodes;
  await one.claim("ends", "never put");
  await one.put("ends", "k", ticketOf(await one.claim("ends", "k")), "1", 1_000);
  for (const key of await redis.keys("*")) assert.ok((await redis.pttl(key)) > 0, key);
  await redis.quit();
});

test("Redis that is full, or takes no writes, is told of once and done without", async (t) => {
  const { told, open } = await alone(t, ["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
  const { host, cache } = open();
  await until(() => host.up);
  for (let i = 0; i < 10; i++) assert.equal(await cache.claim("t", "k"), undefined);
  assert.ok(host.up);
  assert.deepEqual(
    told().map(({ level, event }) => [level, event]),
    [[40, "redis.refused"]],
  );
});

test("no password reaches the log, neither a wrong one nor one for a server that is not there", async (t) => {
  const { own, told, open } = await alone(t, ["--requirepass", "right"]);
  const wrong = open(`redis://:hidden-1@127.0.0.1:${own.port}`);
  const nowhere = open("redis://user:hidden-2@127.0.0.1:1");
  const right = open(`redis://:right@127.0.0.1:${own.port}`);
  await until(() => right.host.up && told().length >= 2);
  assert.equal(await wrong.cache.claim("t", "k"), undefined);
  assert.equal(await nowhere.cache.claim("t", "k"), undefined);
  assert.ok(await right.cache.claim("t", "k"));
  assert.doesNotMatch(JSON.stringify(told()), /hidden|right/);
  assert.throws(
    () => new RedisHost("redis://:hidden-3@host:99999999"),
    ({ message }) => /REDIS_URL/.test(message) && !/hidden/.test(message),
  );
});
