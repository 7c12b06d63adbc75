import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusals, type Report } from "./refusals.ts";

/** An audit room that is there or not, and a clock that is set by hand. */
const setUp = () => {
  const house = { now: 1_000_000 * 60_000, there: true, fails: false, told: [] as Report[], refuses: (_: Report) => false };
  const broker = {
    logger: { debug() {}, warn() {} },
    registry: { getActionEndpoints: () => ({ hasAvailable: () => house.there }) },
    async call(_: string, { items }: { items: Report[] }) {
      if (house.fails) throw new Error("busy");
      if (items.some(house.refuses)) throw Object.assign(new Error("not of this form"), { code: 422 });
      house.told.push(...items);
    },
  };
  const refusals = new Refusals(broker as never, () => house.now);
  const refuse = (user: string | undefined, from = "192.0.2.1", code = "NOT_ALLOWED") =>
    refusals.report({ result: "refused", action: "v1.deals.create", code, status: 403, from, ...(user && { user: { id: user } }) });
  const total = () => house.told.reduce((sum, { count }) => sum + count, 0);
  return { house, refusals, refuse, total };
};

test("what is alike within a minute is told when it comes first, and once more with how often it came", async () => {
  const { house, refusals, refuse } = setUp();
  for (let i = 0; i < 5_000; i++) {
    refuse("eve");
    house.now += 5;
    if (i % 100 === 0) await refusals.flush();
  }
  house.now += 60_000;
  await refusals.flush();
  assert.deepEqual(
    house.told.map(({ count }) => count),
    [1, 4_999],
  );
  const [first, rest] = house.told;
  assert.deepEqual([first!.user, first!.from, first!.code, first!.action], ["eve", "192.0.2.1", "NOT_ALLOWED", "v1.deals.create"]);
  assert.ok(rest!.until! > rest!.at && rest!.at >= first!.at);
  refuse("eve");
  await refusals.flush();
  assert.equal(house.told.length, 3, "another minute is another entry");
});

test("others are told beside them: another user, address or reason is another entry", async () => {
  const { house, refusals, refuse } = setUp();
  for (const [user, from, code] of [["eve"], ["bob"], ["eve", "192.0.2.2"], ["eve", "192.0.2.1", "KEY_REUSED"], [undefined]] as const)
    refuse(user, from, code);
  await refusals.flush();
  assert.equal(house.told.length, 5);
});

test("an attack from a million addresses is a thousand entries and one that counts the others", async () => {
  const { house, refusals, refuse, total } = setUp();
  for (let i = 0; i < 100_000; i++) refuse(undefined, `2001:db8::${i.toString(16)}`);
  await refusals.flush(true);
  assert.equal(house.told.length, 1_001);
  assert.equal(total(), 100_000);
  const { count, from } = house.told.at(-1)!;
  assert.deepEqual([count, from], [99_000, undefined]);
});

test("while the room is away reports wait and come later; of too many the oldest are dropped, and how many is told", async () => {
  const { house, refusals, refuse, total } = setUp();
  house.there = false;
  refuse("eve");
  await refusals.flush();
  assert.deepEqual([house.told.length, refusals.waiting], [0, 1]);
  [house.there, house.fails] = [true, true];
  await refusals.flush();
  assert.equal(refusals.waiting, 1);
  house.fails = false;
  await refusals.flush();
  assert.deepEqual([house.told.length, refusals.waiting], [1, 0]);

  house.there = false;
  for (let minute = 0; minute < 20; minute++) {
    house.now += 60_000;
    for (let i = 0; i < 900; i++) refuse(`u${i}`);
    await refusals.flush();
  }
  assert.ok(refusals.waiting <= 10_001);
  house.there = true;
  await refusals.flush(true);
  assert.equal(total(), 1 + 20 * 900, "those that were dropped are counted");
  const dropped = house.told.filter(({ action }) => action === "audit.dropped");
  assert.ok(dropped.length >= 1 && dropped.every(({ result }) => result === "noted"));
});

test("what was sent and not answered is sent again under the same ids", async () => {
  const { house, refusals, refuse } = setUp();
  const ids = new Set<string>();
  house.fails = true;
  refuse("eve");
  await refusals.flush();
  house.fails = false;
  await refusals.flush();
  await refusals.flush(true);
  for (const { id } of house.told) ids.add(id);
  assert.equal(ids.size, house.told.length);
  assert.equal(house.told.length, 1);
});

test("what another node says of a call is cut to what the room takes, and left out where it is no text", async () => {
  const { house, refusals } = setUp();
  const long = `${"x".repeat(199)}\u{1f600}`;
  const texts = { code: long, from: long, request: long, resource: long, cause: long };
  const user = { id: long, session: long, roles: [...Array(30).fill("r".repeat(300)), 7] };
  refusals.report({ result: "refused", action: "v1.deals.create", status: 403, ...texts, user });
  const none = Object.fromEntries(Object.keys(texts).map((name) => [name, { a: 1 }]));
  refusals.report({
    result: "refused",
    action: "v1.deals.create",
    status: 403,
    ...none,
    user: { id: 5, session: [], roles: "admin" },
  } as never);
  await refusals.flush();
  const [cut, left] = house.told;
  for (const name of [...Object.keys(texts), "user", "session"] as (keyof Report)[]) {
    assert.equal(cut![name], `${"x".repeat(199)}\ufffd`, name);
    assert.equal(left![name], undefined, name);
  }
  assert.deepEqual([cut!.roles, left!.roles], [Array(20).fill("r".repeat(64)), undefined]);
});

test("a report that the room does not take is dropped and counted, and the others are told", async () => {
  const { house, refusals, refuse, total } = setUp();
  house.refuses = ({ user }) => user === "eve" || user === "mallory";
  for (let i = 0; i < 150; i++) refuse(`u${i}`);
  for (const user of ["eve", "mallory"]) refuse(user);
  for (let i = 150; i < 300; i++) refuse(`u${i}`);
  await refusals.flush();
  assert.equal(refusals.waiting, 0);
  assert.equal(house.told.length, 300 + 1);
  const { action, result, count } = house.told.find(({ user }) => user === undefined)!;
  assert.deepEqual([action, result, count, total()], ["audit.dropped", "noted", 2, 302]);
  house.refuses = () => true;
  refuse("u1", "192.0.2.2");
  await refusals.flush(true);
  assert.deepEqual([house.told.length, refusals.waiting], [301, 0], "a room that takes nothing is no reason to go on for ever");
});
