import assert from "node:assert/strict";
import { after, test } from "node:test";
import { until } from "../../test/support/other-node.ts";
import { settle } from "../../test/support/setting.ts";

settle();
const { openLeaseStore } = await import("./open.ts");
const { holdWhile, Lease } = await import("../runtime/lease.ts");
const leases = openLeaseStore("room");
after(() => leases.close());

const LONG = 600_000;
const OVER = -1; // a lease that has run out as it is taken

test("of many who ask for a name at once, one has it, and keeps it as long as he renews it", async () => {
  const owners = Array.from({ length: 10 }, (_, n) => `owner${n}`);
  const taken = await Promise.all(owners.map((owner) => leases.take("work", owner, LONG)));
  assert.equal(taken.filter(Boolean).length, 1);
  const [holder, other] = [owners[taken.indexOf(true)]!, owners[taken.indexOf(false)]!];
  assert.ok(await leases.take("work", holder, LONG));
  assert.ok(!(await leases.take("work", other, LONG)));
  assert.ok(await leases.take("other", other, LONG), "another name is another matter");
});

test("a name whose time is over goes to whoever asks first", async () => {
  assert.ok(await leases.take("slow", "a", OVER));
  await until(() => leases.take("slow", "b", LONG)); // where nobody's clock counts, it has to be seen standing still
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
  const alive = () => leases.alive(["living", "dead", "unknown"]);
  await until(async () => (await alive()).size === 1);
  assert.deepEqual(await alive(), new Set(["living"]));
  assert.deepEqual(await leases.alive([]), new Set());
});

test("a process that cannot do what a name is for lets go of it, and takes it again once it can", async (t) => {
  let fit = true;
  holdWhile(() => fit);
  t.after(() => holdWhile(() => true));
  const lease = new Lease(leases, "fit");
  await lease.open();
  t.after(() => lease.close());
  assert.ok(lease.held);
  fit = false;
  await until(() => leases.take("fit", "other", LONG));
  assert.ok(!lease.held);
  await leases.leave("fit", "other");
  fit = true;
  await until(() => lease.held);
});
