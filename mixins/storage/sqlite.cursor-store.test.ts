import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Parked } from "./cursor-store.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-cursor-"));
process.env.DATA_DIR = DATA_DIR;
const { SqliteCursorStore } = await import("./sqlite.cursor-store.ts");
const cursors = new SqliteCursorStore("room");
after(async () => {
  await cursors.close();
  rmSync(DATA_DIR, { recursive: true });
});

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

test("of two who go on from the same place one gets there, and only his work is stored", async () => {
  const done: string[] = [];
  const go = (who: string) => cursors.advance("raced", "deals", "", "9", { park: [parked(who)], unpark: [] }, () => void done.push(who));
  assert.deepEqual(await Promise.all([go("a"), go("b")]), [true, false]);
  assert.deepEqual([done, await streams("raced")], [["a"], ["a"]]);
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
  await cursors.advance("p", "deals", "1", "2", { park: [again], unpark: ["s1"] }, () => {});
  assert.deepEqual(await streams("p", "deals"), ["s2"]);
  assert.equal((await cursors.parked("p", "deals"))[0]!.nextAt, undefined);
  assert.deepEqual(await streams("p", "stock"), ["s1"]);
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
