import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { folder, run, startSystem } from "../support/system.ts";
import { hasDeal, openDeal, ready, trade } from "../support/trade.ts";

const command = "mixins/storage/backup.command.ts";
const backup = (data: string, to: string) => run([command, "backup", to], { DATA_DIR: data });
const restore = (data: string, from: string, ...more: string[]) => run([command, "restore", from, ...more], { DATA_DIR: data });

const start = async (t: TestContext, data: string) => {
  const system = await startSystem(t, { DATA_DIR: data });
  await ready(system.url);
  return system;
};

test("a backup under load has all that was acknowledged before it, and a restored system goes on from there", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  const system = await start(t, data);
  const trading = trade(system.url);
  await trading.more(100);
  const before = [...trading.acknowledged];
  const made = await backup(data, join(backups, "monday"));
  assert.equal(made.code, 0, made.stderr);
  const during = trading.acknowledged.length - before.length;
  await trading.more(100);
  await trading.end();
  assert.ok(during > 0, "the buyers went on meanwhile");
  assert.equal(await system.stop(), 0);

  const elsewhere = join(folder(t), "data");
  const restored = await restore(elsewhere, join(backups, "monday"));
  assert.equal(restored.code, 0, restored.stderr);
  const second = await start(t, elsewhere);
  for (const id of before) assert.ok(await hasDeal(second.url, id), `${id} was acknowledged before the backup`);
  assert.equal(await hasDeal(second.url, trading.acknowledged.at(-1)!), false, "the backup is of a moment that is past");
  assert.ok(await openDeal(second.url, "the-next"));
  assert.deepEqual(readdirSync(backups), ["monday"], "nothing is left of the making");
});

test("a restore under load is refused, and the system that runs does not notice", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  const system = await start(t, data);
  assert.ok(await openDeal(system.url, "first"));
  await backup(data, join(backups, "b"));
  const trading = trade(system.url);
  await trading.more(20);
  const plain = await restore(data, join(backups, "b"));
  assert.deepEqual([plain.code, /has data .*--force/.test(plain.stderr)], [2, true], plain.stderr);
  const forced = await restore(data, join(backups, "b"), "--force");
  assert.deepEqual([forced.code, /is in use; stop the system/.test(forced.stderr)], [2, true], forced.stderr);
  await trading.more(20);
  await trading.end();
  for (const id of trading.acknowledged) assert.ok(await hasDeal(system.url, id));
});

test("what a forced restore replaces is kept aside", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  const system = await start(t, data);
  await openDeal(system.url, "old");
  await backup(data, join(backups, "b"));
  await openDeal(system.url, "new");
  await system.stop();

  const { code, stdout, stderr } = await restore(data, join(backups, "b"), "--force");
  assert.equal(code, 0, stderr);
  const again = await start(t, data);
  assert.deepEqual([await hasDeal(again.url, "old"), await hasDeal(again.url, "new")], [true, false]);
  await again.stop();

  const aside = /What was there is in (.+)/.exec(stdout)?.[1];
  const earlier = await start(t, aside!);
  assert.deepEqual([await hasDeal(earlier.url, "old"), await hasDeal(earlier.url, "new")], [true, true]);
});

test("a backup that is not as it was made is not restored", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  const system = await start(t, data);
  await openDeal(system.url, "deal");
  await system.stop();
  const target = join(folder(t), "data");
  for (const [name, spoil] of Object.entries({
    changed: (path: string) => appendFileSync(join(path, "deals.db"), " "),
    incomplete: (path: string) => rmSync(join(path, "deals.db")),
    interrupted: (path: string) => rmSync(join(path, "manifest.json")),
  })) {
    const path = join(backups, name);
    assert.equal((await backup(data, path)).code, 0);
    spoil(path);
    const { code, stderr } = await restore(target, path);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /is not as it was backed up|is no whole backup/);
    assert.equal(existsSync(target), false, "nothing was touched");
  }
});

test("a backup never goes into a folder that has something, and there must be something to back up", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  const nothing = await backup(data, join(backups, "b"));
  assert.deepEqual([nothing.code, nothing.stderr.startsWith("DATA_DIR: there is nothing to back up")], [2, true]);
  mkdirSync(join(backups, "taken"));
  writeFileSync(join(backups, "taken/letter.txt"), "");
  const taken = await backup(data, join(backups, "taken"));
  assert.deepEqual([taken.code, /is not empty/.test(taken.stderr)], [2, true]);
});
