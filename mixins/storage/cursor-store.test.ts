import assert from "node:assert/strict";
import { after, test } from "node:test";
import { settle } from "../../test/support/setting.ts";
import type { Parked } from "./cursor-store.ts";

const setting = settle();
const { openCursorStore } = await import("./open.ts");
const cursors = openCursorStore("room");
after(() => cursors.close());

const nothing = { park: [], unpark: [] };
const parked = (stream: string, source = "deals", more: Partial<Parked> = {}): Parked => ({
  ...{ source, stream, version: 3, attempts: 2, nextAt: 5, type: "Said", error: "no", stack: "at", at: 7 },
  ...more,
});
const streams = async (follower: string, source?: string) => (await cursors.parked(follower, source)).map(({ stream }) => stream);

test("a follower begins before the first position, and goes on from where it was", async () => {
  assert.equal(await cursors.cursor("a", "deals"), "");
  assert.ok(await cursors.advance("a", "deals", "", "5", nothing, () => {}));
  assert.equal(await cursors.cursor("a", "deals"), "5");
  assert.deepEqual([await cursors.cursor("a", "stock"), await cursors.cursor("b", "deals")], ["", ""]);
});

test("of two who go on from the same place one gets there, and where there are transactions only his work is stored", async () => {
  const done: string[] = [];
  const go = (who: string) => cursors.advance("raced", "deals", "", "9", { park: [parked(who)], unpark: [] }, () => void done.push(who));
  assert.deepEqual((await Promise.all([go("a"), go("b")])).sort(), [false, true]);
  if (setting === "embedded") assert.deepEqual([done, await streams("raced")], [["a"], ["a"]]); // without transactions both have worked, which does no harm
});

test("what cannot be written leaves the cursor where it was, and parks nothing", async () => {
  const failing = cursors.advance("failing", "deals", "", "9", { park: [parked("s")], unpark: [] }, () => {
    throw new TypeError("no");
  });
  await assert.rejects(failing, TypeError);
  assert.deepEqual([await cursors.cursor("failing", "deals"), await streams("failing")], ["", []]);
});

test("parked streams are kept with all that is known of them, by source, until they are freed", async () => {
  await cursors.advance("p", "deals", "", "1", { park: [parked("s1"), parked("s2")], unpark: [] }, () => {});
  await cursors.advance("p", "stock", "", "1", { park: [parked("s1", "stock")], unpark: [] }, () => {});
  assert.deepEqual(await cursors.parked("p", "stock"), [parked("s1", "stock")]);
  assert.equal((await cursors.parked("p")).length, 3);
  const again = parked("s2", "deals", { attempts: 8, nextAt: undefined });
  await cursors.advance("p", "deals", "1", "2", { park: [again], unpark: [{ stream: "s1", version: parked("s1").version }] }, () => {});
  assert.deepEqual(await streams("p", "deals"), ["s2"]);
  assert.equal((await cursors.parked("p", "deals"))[0]!.nextAt, undefined);
  assert.deepEqual(await streams("p", "stock"), ["s1"]);
});

test("who comes late does not free a stream that somebody else has parked further on since", async () => {
  await cursors.advance("late", "deals", "", "1", { park: [parked("s")], unpark: [] }, () => {});
  const further = parked("s", "deals", { version: parked("s").version + 1 });
  await cursors.advance("late", "deals", "1", "2", { park: [further], unpark: [] }, () => {});
  await cursors.advance("late", "deals", "2", "2", { park: [], unpark: [{ stream: "s", version: parked("s").version }] }, () => {});
  assert.deepEqual(await cursors.parked("late"), [further]);
});

test("a dead letter that is let go starts anew, from where it is told", async () => {
  await cursors.advance(
    "dead",
    "deals",
    "",
    "1",
    { park: [parked("s", "deals", { attempts: 8, nextAt: undefined })], unpark: [] },
    () => {},
  );
  assert.equal(await cursors.resume("dead", "deals", "s", 4), true);
  const [going] = await cursors.parked("dead");
  assert.deepEqual([going!.version, going!.attempts, going!.nextAt! <= Date.now()], [4, 0, true]);
  assert.equal(await cursors.resume("dead", "deals", "unknown", 4), false);
});

test("a follower that is dropped is forgotten altogether, and no other is", async () => {
  for (const follower of ["gone", "stays"]) {
    await cursors.advance(follower, "deals", "", "5", { park: [parked("s")], unpark: [] }, () => {});
  }
  await cursors.drop("gone");
  assert.deepEqual([await cursors.cursor("gone", "deals"), await streams("gone")], ["", []]);
  assert.deepEqual([await cursors.cursor("stays", "deals"), await streams("stays")], ["5", ["s"]]);
});

test("what streams have reached only grows, and belongs to one follower and source", {
  skip: setting === "embedded" && "the log is in order",
}, async () => {
  const step = (reached: [string, number][]) => ({ ...nothing, reached: new Map(reached) });
  await cursors.advance(
    "r",
    "deals",
    "",
    "1",
    step([
      ["s1", 3],
      ["s2", 1],
    ]),
    () => {},
  );
  await cursors.advance("r", "deals", "1", "2", step([["s1", 2]]), () => {});
  await cursors.advance("r", "stock", "", "1", step([["s1", 9]]), () => {});
  const reached = await cursors.reached!("r", "deals", ["s1", "s2", "never"]);
  assert.deepEqual([...reached].sort(), [
    ["s1", 3],
    ["s2", 1],
  ]);
  assert.equal((await cursors.reached!("other", "deals", ["s1"])).size, 0);
});
