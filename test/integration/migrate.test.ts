import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MongoClient } from "mongodb";
import { missing } from "../servers/install.ts";
import { startServer } from "../servers/start.ts";
import { booksOf, showsSame } from "../support/books.ts";
import { ask } from "../support/http.ts";
import { folder, HOUSE, run, startSystem } from "../support/system.ts";
import { openDeal, ready } from "../support/trade.ts";

const lacking = missing().filter((name) => name !== "redis");
const options = { skip: lacking.length > 0 && `not installed: ${lacking.join(", ")}: npm run servers -- --install` };
const COMMAND = "mixins/storage/migrate.command.ts";

const migrate = (from: string, to: string, namespace = "moved") => run([COMMAND, "--from", from, "--to", to, "--namespace", namespace]);

const servers = async (t: TestContext) => {
  const [mongo, nats] = await Promise.all([startServer("mongo"), startServer("nats")]);
  t.after(() => Promise.all([mongo.stop(), nats.stop()]));
  const env = { MONGO_URL: mongo.url, TRANSPORTER: nats.url, BUS_MAX_MEGABYTES: "16", NAMESPACE: "moved" };
  return { mongo, env };
};

const start = async (t: TestContext, env: Record<string, string>) => {
  const system = await startSystem(t, env);
  await ready(system.url);
  return system;
};

const post = (url: string, path: string, body: object, headers = {}) => ask(`${url}/api/v1/${path}`, { method: "POST", body, headers });

/** Stock of one product, a confirmed and an open deal on it, a customer that was written under a key and one that was removed. */
const trade = async (url: string) => {
  await post(url, "inventory/LDPE/receipts", { id: "first", quantity: "100", cost: "1" });
  for (const id of ["confirmed", "waiting"]) assert.ok(await openDeal(url, id));
  const confirmed = await post(url, "deals/confirmed/confirm", {});
  assert.equal(confirmed.status, 200, confirmed.text);
  const kept = await post(url, "customers", { id: "kept", name: "Kept" }, { "Idempotency-Key": "k1" });
  const gone = await post(url, "customers", { id: "gone", name: "Gone" });
  assert.deepEqual([kept.status, gone.status], [201, 201], kept.text);
  assert.equal((await ask(`${url}/api/v1/customers/gone`, { method: "DELETE" })).status, 200);
  return { kept: kept.json };
};

test("a house moves to the cluster and back: the same reports, lists and histories, and it goes on from there", options, async (t) => {
  const [data, back] = [folder(t), join(folder(t), "data")];
  const { mongo, env } = await servers(t);
  assert.equal((await run(["services/imports/demo.command.ts"], { DATA_DIR: data })).code, 0);
  const embedded = await start(t, { DATA_DIR: data });
  const { kept } = await trade(embedded.url);
  const busy = await migrate(data, mongo.url);
  assert.deepEqual([busy.code, /is in use; stop the system/.test(busy.stderr)], [2, true], busy.stderr);
  const books = await booksOf(embedded.url);
  await embedded.stop();

  const there = await migrate(data, mongo.url);
  assert.equal(there.code, 0, there.stderr);
  assert.match(there.stdout, /^deals +commits +\d+ {2}the same [0-9a-f]{12}$/m);
  assert.match(there.stdout, /^deals +saga commits +\d+ {2}the same/m);
  assert.match(there.stdout, /^contributions by month: 13 lines, the same on both sides$/m);
  const cluster = await start(t, env);
  await showsSame(cluster.url, books);
  const again = await post(cluster.url, "customers", { id: "kept", name: "Kept" }, { "Idempotency-Key": "k1" });
  assert.deepEqual([again.status, again.json], [201, kept], "a key is still known");
  assert.equal((await ask(`${cluster.url}/api/v1/customers/gone`)).status, 410, "what was removed stays so");
  assert.equal((await post(cluster.url, "deals/waiting/confirm", {})).status, 200);
  assert.equal((await post(cluster.url, "deals/confirmed/fulfil", {})).status, 200);
  const running = await migrate(mongo.url, back);
  assert.deepEqual([running.code, /is in use .*stop all of its nodes/.test(running.stderr)], [2, true], running.stderr);
  const later = await booksOf(cluster.url);
  assert.notDeepEqual(later, books);
  await cluster.stop();
  const taken = await migrate(data, mongo.url);
  assert.deepEqual([taken.code, /has data \(moved_/.test(taken.stderr)], [2, true], taken.stderr);

  const home = await migrate(mongo.url, back);
  assert.equal(home.code, 0, home.stderr);
  const second = await start(t, { DATA_DIR: back });
  await showsSame(second.url, later);
  assert.equal((await post(second.url, "deals/waiting/fulfil", {})).status, 200);
});

/** Runs the command and kills it once it has told so many lines. Answers whether it was killed before its end. */
const killed = async (from: string, to: string, lines: number): Promise<boolean> => {
  const child = spawn(process.execPath, [COMMAND, "--from", from, "--to", to, "--namespace", "moved"], {
    cwd: HOUSE,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close");
  let told = 0;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text.split("\n").length - 1;
    if (told >= lines) child.kill("SIGKILL");
  });
  const [, signal] = await closed;
  return signal === "SIGKILL";
};

test("a move that is killed anywhere goes on when it is run again, and no node starts on half a house", options, async (t) => {
  const [data, back] = [folder(t), join(folder(t), "data")];
  const { mongo, env } = await servers(t);
  assert.equal((await run(["services/imports/demo.command.ts"], { DATA_DIR: data })).code, 0);
  let times = 0;
  for (; await killed(data, mongo.url, times < 4 ? 1 : times - 2); times++) {
    if (times > 0) continue;
    await assert.rejects(start(t, env), /a move into .* was interrupted/);
    const other = folder(t);
    copyFileSync(join(data, "deals.db"), join(other, "deals.db"));
    const { code, stderr } = await migrate(other, mongo.url);
    assert.deepEqual([code, /is being filled from/.test(stderr)], [2, true], stderr);
  }
  assert.ok(times > 4, `it was killed ${times} times`);
  const home = await migrate(mongo.url, back);
  assert.equal(home.code, 0, home.stderr);

  const third = join(folder(t), "data");
  for (const lines of [1, 3]) {
    assert.ok(await killed(mongo.url, third, lines));
    if (lines === 1) await assert.rejects(start(t, { DATA_DIR: third }), /a move into .* was interrupted/);
  }
  assert.equal((await migrate(mongo.url, third)).code, 0);
  assert.equal(existsSync(join(third, ".moving")), false);
  assert.deepEqual(
    readdirSync(third).filter((name) => name.endsWith(".db")),
    readdirSync(back).filter((name) => name.endsWith(".db")),
  );
  const [one, other] = [await start(t, { DATA_DIR: data }), await start(t, { DATA_DIR: third })];
  await showsSame(other.url, await booksOf(one.url));
});

test("what was lost or added on the way is found, and the house stays marked", options, async (t) => {
  const data = folder(t);
  const { mongo, env } = await servers(t);
  const first = await start(t, { DATA_DIR: data });
  for (const id of ["one", "two"]) assert.ok(await openDeal(first.url, id));
  await first.stop();
  const client = await new MongoClient(mongo.url).connect();
  t.after(() => client.close());
  const deals = client.db("moved_deals").collection<{ _id: string }>("commits");
  for (let lines = 1; (await deals.countDocuments()) < 2; lines++)
    assert.ok(await killed(data, mongo.url, lines), "it was killed before the deals were there");
  await deals.deleteOne({ _id: "one@000000000001" });
  const second = await start(t, { DATA_DIR: data });
  assert.ok(await openDeal(second.url, "three"));
  await second.stop();
  const { code, stderr } = await migrate(data, mongo.url);
  assert.deepEqual([code, /deals commits: 3 there, 2 here/.test(stderr)], [2, true], stderr);
  await assert.rejects(start(t, env), /a move into .* was interrupted/);
});
