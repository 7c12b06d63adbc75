import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Commit } from "./event-store.ts";
import { Moment } from "./portable.moment.ts";

const commit = (stream: string, version: number, at: number): Commit => ({
  id: `${stream}${version}`,
  stream,
  version,
  at,
  occurredAt: at,
  events: [],
});

/** One that has come, at 11,000; it is 12,000 now. `before` is what is read first. */
const come = async (t: TestContext, before: (moment: Moment) => void = () => {}) => {
  t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 10_000 });
  const moment = new Moment();
  before(moment);
  const coming = moment.come();
  t.mock.timers.tick(2_000);
  await coming;
  assert.equal(moment.time, 11_000);
  return moment;
};

test("of each stream a backup has what was decided before its moment, without a gap, whatever clocks say of what follows", async (t) => {
  const moment = await come(t);
  const kept = [
    commit("a", 1, 9_000),
    commit("b", 1, 10_999),
    commit("a", 2, 11_000),
    commit("a", 3, 10_500),
    commit("c", 1, 11_500),
  ].filter((entry) => moment.holds("deals", "commits", entry));
  assert.deepEqual(
    kept.map(({ id }) => id),
    ["a1", "b1"],
  );
  assert.ok(moment.holds("inventory", "commits", commit("a", 1, 9_000)), "another room's stream is another");
  const key = { once: "k", answer: "{}" };
  assert.deepEqual(
    [moment.holds("cards", "keys", { ...key, at: 10_999 }), moment.holds("cards", "keys", { ...key, at: 11_000 })],
    [true, false],
  );
});

test("a backup is refused where a clock is ahead: of us now, or of what a follower had seen before it began", async (t) => {
  const clocks = /Clocks differ by more than a second/;
  const reach = { follower: "sagas", source: "deals", stream: "a", version: 2 };
  const moment = await come(t, (moment) => assert.ok(moment.holds("deals", "reached", reach)));
  assert.ok(moment.holds("deals", "commits", commit("a", 1, 9_000)));
  assert.throws(() => moment.holds("deals", "commits", commit("a", 2, 11_900)), clocks);
  assert.throws(() => moment.holds("deals", "commits", commit("b", 1, 13_001)), clocks);
});
