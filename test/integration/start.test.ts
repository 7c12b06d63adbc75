import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fetch } from "../support/credentials.ts";
import { folder, HOUSE, run, startSystem } from "../support/system.ts";
import { hasDeal, openDeal, ready } from "../support/trade.ts";

const oneLine = (text: string) => assert.match(text, /^[^\n]+\n$/);

test("all rooms serve after the start, which says where", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t) });
  assert.match(system.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(system.serving.missing, []);
  assert.ok((system.serving.rooms as string[]).includes("deals"));
  assert.equal((await fetch(`${system.url}/health/ready`)).status, 200);
});

test("a node runs the rooms that it was told, and says which others it does without", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t), ROOMS: "gateway, deals" });
  assert.deepEqual(system.serving.rooms, ["deals", "gateway"]);
  assert.ok((system.serving.missing as string[]).includes("inventory"));
});

test("a node without a door stays until it is told to go, and others share its data", async (t) => {
  const data = folder(t);
  const reports = await startSystem(t, { DATA_DIR: data, ROOMS: "analytics" });
  assert.equal(reports.serving.url, undefined);
  const door = await startSystem(t, { DATA_DIR: data, ROOMS: "gateway,deals,products" });
  await ready(door.url);
  assert.ok(await openDeal(door.url, "d-1"));
  assert.equal((await fetch(`${door.url}/api/v1/analytics/revenue?by=month`)).status, 503, "reports are not to be had through this door");
  assert.equal(reports.process.exitCode, null);
  assert.equal(await reports.stop(), 0);
});

test("what was begun when the stop came is answered, and what was answered is kept", async (t) => {
  const data = folder(t);
  const system = await startSystem(t, { DATA_DIR: data });
  await ready(system.url);
  const requests = Array.from({ length: 200 }, (_, n) => openDeal(system.url, `d-${n}`));
  await Promise.race(requests);
  const stopped = system.stop();
  const answered = (await Promise.all(requests)).flatMap((ok, n) => (ok ? [`d-${n}`] : []));
  assert.equal(await stopped, 0);
  assert.ok(answered.length > 0);
  const again = await startSystem(t, { DATA_DIR: data });
  await ready(again.url);
  for (const id of answered) assert.ok(await hasDeal(again.url, id));
});

test("a stop lets go of everything and ends well", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t) });
  assert.equal(await system.stop("SIGTERM"), 0);
  const again = await startSystem(t, { DATA_DIR: folder(t) });
  assert.equal(await again.stop("SIGINT"), 0);
});

test("a start on a taken port says so in one line, and what to do", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { code, stderr } = await run(["start.ts"], { DATA_DIR: folder(t), PORT: String(port) });
  assert.equal(code, 2);
  oneLine(stderr);
  assert.match(stderr, new RegExp(`PORT: ${port} on 127.0.0.1 is taken`));
});

test("a start that cannot be says why in one line, and what to do", async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, "file"), "");
  mkdirSync(join(dir, "damaged"));
  writeFileSync(join(dir, "damaged/deals.db"), "this was a database once, before somebody edited it by hand");
  mkdirSync(join(dir, "restored"));
  writeFileSync(join(dir, "restored/.restoring"), "");
  const cases: [Record<string, string>, RegExp][] = [
    [{ LOG_LEVEL: "loud" }, /^LOG_LEVEL must be one of .*loud/],
    [{ TRUSTED_PROXIES: "10.0.0.0/8,proxy" }, /^TRUSTED_PROXIES must name addresses.*proxy/],
    [{ CORS_ORIGINS: "shop.example" }, /^CORS_ORIGINS must name origins.*shop/],
    [{ PORT: "eighty" }, /^PORT must be .*eighty/],
    [{ TRANSPORTER: "nats://banyan:p#ss@nats:4222", MONGO_URL: "mongodb://a" }, /^TRANSPORTER: (?!.*p#ss).*%23/],
    [{ TRANSPORTER: "nats://nats:port", MONGO_URL: "mongodb://a" }, /^TRANSPORTER must be an address like/],
    [{ TRANSPORTER: "nats://a", MONGO_URL: "mongodb://banyan:pa/ss@a,b/?replicaSet=rs0" }, /^MONGO_URL: (?!.*pa\/ss).*%2F/],
    [{ ROOMS: "deals,sails" }, /^ROOMS: there is no room sails; there are .*deals/],
    [{ HOST: "192.0.2.1" }, /^HOST: cannot listen on 192\.0\.2\.1/],
    [{ DATA_DIR: join(dir, "file/data") }, /^DATA_DIR: cannot write to .*file\/data/],
    [{ DATA_DIR: "/proc/nowhere/data" }, /^DATA_DIR: cannot write to \/proc\/nowhere/],
    [{ DATA_DIR: join(dir, "damaged") }, /^DATA_DIR: a file in .*damaged cannot be used/],
    [{ DATA_DIR: join(dir, "restored") }, /^DATA_DIR: a restore into .* was interrupted/],
  ];
  for (const [env, reason] of cases) {
    const { code, stderr } = await run(["start.ts"], { DATA_DIR: join(dir, "data"), PORT: "0", LOG_LEVEL: "fatal", ...env });
    assert.equal(code, 2, stderr);
    oneLine(stderr);
    assert.match(stderr, reason);
  }
});

test("an older Node is told how to get the right one", async () => {
  const old = `Object.defineProperty(process.versions, "node", { value: "20.20.2" })`;
  const { code, stderr } = await run([
    "--import",
    `data:text/javascript,${old}`,
    "--import",
    join(HOUSE, "mixins/runtime/needs-node-26.js"),
    "start.ts",
  ]);
  assert.equal(code, 2);
  oneLine(stderr);
  assert.match(stderr, /Banyan needs Node 26, this is 20\.20\.2.*npm rebuild node/);
});
