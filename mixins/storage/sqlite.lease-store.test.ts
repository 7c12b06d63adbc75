import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-lease-"));
process.env.DATA_DIR = DATA_DIR;
const { SqliteLeaseStore } = await import("./sqlite.lease-store.ts");
const leases = new SqliteLeaseStore("room");
after(async () => {
  await leases.close();
  rmSync(DATA_DIR, { recursive: true });
});

const LONG = 600_000;
const OVER = -1; // a lease that has run out as it is taken

test("of many who ask for a name at once, one has it, and keeps it as long as he renews it", async () => {
  const owners = Array.from({ length: 10 }, (_, n) => `owner${n}`);
  const taken = await Promise.all(owners.map((owner) => leases.take("work", owner, LONG)));
  assert.deepEqual(taken, [true, ...Array(9).fill(false)]);
  assert.ok(await leases.take("work", "owner0", LONG));
  assert.ok(!(await leases.take("work", "owner1", LONG)));
  assert.ok(await leases.take("other", "owner1", LONG), "another name is another matter");
});

test("a name whose time is over goes to whoever asks first", async () => {
  assert.ok(await leases.take("slow", "a", OVER));
  assert.ok(await leases.take("slow", "b", LONG));
  assert.ok(!(await leases.take("slow", "a", LONG)));
});

test("a name that is given back is free at once; nobody gives back another one's", async () => {
  await leases.take("given", "a", LONG);
  await leases.leave("given", "b");
  assert.ok(!(await leases.take("given", "b", LONG)));
  await leases.leave("given", "a");
  assert.ok(await leases.take("given", "b", LONG));
});

test("an owner is alive while he holds any name", async () => {
  await leases.take("n1", "living", LONG);
  await leases.take("n2", "dead", OVER);
  assert.deepEqual(await leases.alive(["living", "dead", "unknown"]), new Set(["living"]));
  assert.deepEqual(await leases.alive([]), new Set());
});
