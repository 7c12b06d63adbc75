import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { missing } from "../servers/install.ts";
import { startServer } from "../servers/start.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder, run, startSystem } from "../support/system.ts";
import { hasDeal, openDeal, ready, trade } from "../support/trade.ts";

const lacking = missing().filter((name) => name !== "redis");
const options = { skip: lacking.length > 0 && `not installed: ${lacking.join(", ")}: npm run servers -- --install` };
const COMMAND = "mixins/storage/backup.command.ts";

const servers = async (t: TestContext) => {
  const [mongo, nats] = await Promise.all([startServer("mongo"), startServer("nats")]);
  t.after(() => Promise.all([mongo.stop(), nats.stop()]));
  return { MONGO_URL: mongo.url, TRANSPORTER: nats.url, BUS_MAX_MEGABYTES: "16", NAMESPACE: "busy" };
};

const start = async (t: TestContext, env: Record<string, string>) => {
  const system = await startSystem(t, env);
  await ready(system.url);
  return system;
};

const post = (url: string, path: string, body: object) => ask(`${url}/api/v1/${path}`, { method: "POST", body });

/** Opens a deal of ten units, confirms every other one, which is a saga over two rooms, and keeps one customer for each. */
const deal = async (url: string, id: string): Promise<boolean> => {
  const customer = await post(url, "customers", { id, name: id });
  if (customer.status !== 201 || !(await openDeal(url, id))) return false;
  if (id.endsWith("1") || id.endsWith("5")) await post(url, `deals/${id}/confirm`, {});
  return true;
};

const statusesOf = async (url: string): Promise<Map<string, string>> => {
  const found = new Map<string, string>();
  for (let after = ""; ; ) {
    const { json } = await ask(`${url}/api/v1/deals?limit=200${after && `&after=${encodeURIComponent(after)}`}`);
    for (const { id, status } of json.items as { id: string; status: string }[]) found.set(id, status);
    if (!json.next) return found;
    after = String(json.next);
  }
};

test(
  "a cluster's backup under load has all that was acknowledged before it; restored elsewhere, stock and deals agree and go on",
  options,
  async (t) => {
    const backups = folder(t);
    const env = await servers(t);
    const system = await start(t, env);
    assert.equal((await post(system.url, "inventory/LDPE/receipts", { id: "r", quantity: "1000000", cost: "1" })).status, 201);
    const trading = trade(system.url, deal);
    await trading.more(40);
    const before = [...trading.acknowledged];
    const made = await run([COMMAND, "backup", join(backups, "monday")], env);
    assert.equal(made.code, 0, made.stderr);
    assert.ok(trading.acknowledged.length > before.length, "the buyers went on meanwhile");
    await trading.more(10);
    await trading.end();
    assert.equal(await system.stop(), 0);
    assert.deepEqual(readdirSync(backups), ["monday"], "nothing is left of the making");

    const taken = await run([COMMAND, "restore", join(backups, "monday")], env);
    assert.deepEqual([taken.code, /has data \(busy_/.test(taken.stderr)], [2, true], taken.stderr);
    const forced = await run([COMMAND, "restore", join(backups, "monday"), "--force"], env);
    assert.deepEqual([forced.code, /cannot be moved aside/.test(forced.stderr)], [2, true], forced.stderr);
    for (const elsewhere of [{ ...env, NAMESPACE: "second" }, { DATA_DIR: join(folder(t), "data") }] as Record<string, string>[]) {
      const restored = await run([COMMAND, "restore", join(backups, "monday")], elsewhere);
      assert.equal(restored.code, 0, restored.stderr);
      const second = await start(t, elsewhere);
      for (const id of before) {
        assert.ok(await hasDeal(second.url, id), `${id} was acknowledged before the backup`);
        assert.equal((await ask(`${second.url}/api/v1/customers/${id}`)).status, 200);
      }
      assert.equal(await hasDeal(second.url, trading.acknowledged.at(-1)!), false, "the backup is of a moment that is past");
      await until(async () => {
        const running = await Promise.all(["running", "undoing"].map((status) => ask(`${second.url}/api/v1/sagas?status=${status}`)));
        return running.every(({ status, json }) => status === 200 && (json.items as object[]).length === 0);
      });
      const agreed = await until(async () => {
        const confirmed = [...(await statusesOf(second.url)).values()].filter((status) => status === "confirmed").length;
        const { reserved } = (await ask(`${second.url}/api/v1/inventory/LDPE`)).json;
        return String(10 * confirmed) === reserved && confirmed;
      });
      assert.ok(agreed >= before.filter((id) => id.endsWith("1") || id.endsWith("5")).length - 8, `${agreed} are confirmed`);
      assert.ok(await openDeal(second.url, "the-next"));
      assert.equal((await post(second.url, "deals/the-next/confirm", {})).status, 200);
      await second.stop();
    }
  },
);

test("a cluster's backup that is not as it was made is not restored, and there must be something to back up", options, async (t) => {
  const backups = folder(t);
  const env = await servers(t);
  const nothing = await run([COMMAND, "backup", join(backups, "empty")], env);
  assert.deepEqual([nothing.code, /nothing to back up/.test(nothing.stderr)], [2, true], nothing.stderr);
  const system = await start(t, env);
  assert.ok(await openDeal(system.url, "deal"));
  await system.stop();
  assert.equal((await run([COMMAND, "backup", join(backups, "b")], env)).code, 0);
  mkdirSync(join(backups, "taken"));
  appendFileSync(join(backups, "taken/letter.txt"), "");
  assert.match((await run([COMMAND, "backup", join(backups, "taken")], env)).stderr, /is not empty/);
  appendFileSync(join(backups, "b/deals.commits.ndjson.zst"), " ");
  const target = join(folder(t), "data");
  const { code, stderr } = await run([COMMAND, "restore", join(backups, "b")], { DATA_DIR: target });
  assert.deepEqual([code, /is not as it was backed up/.test(stderr), existsSync(target)], [2, true, false], stderr);
});
