import assert from "node:assert/strict";
import { test } from "node:test";
import { isOfNode, scheduleOf } from "./chaos.schedule.ts";
import { Random } from "./random.ts";

const settings = { length: 120_000, nodes: 3, servers: 3 };

test("a seed has one schedule, and another seed another", () => {
  assert.deepEqual(scheduleOf(new Random(7), settings), scheduleOf(new Random(7), settings));
  assert.notDeepEqual(scheduleOf(new Random(7), settings), scheduleOf(new Random(8), settings));
});

test("never are two nodes away at once, or two servers, and in the end none is", () => {
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const faults = scheduleOf(new Random(seed), settings);
    for (const lane of [faults.filter(isOfNode), faults.filter((fault) => !isOfNode(fault))]) {
      for (const [i, { at, lasts, kind }] of lane.entries()) {
        kinds.add(kind);
        assert.ok(at + lasts <= Math.min(settings.length, lane[i + 1]?.at ?? Number.POSITIVE_INFINITY));
      }
    }
  }
  assert.deepEqual([...kinds].sort(), ["cut", "kill", "mongo", "nats", "part", "pause", "rebuild", "redis", "slow", "stop"]);
});

test("one kind can be asked for alone", () => {
  const faults = scheduleOf(new Random(1), { ...settings, only: ["pause"] });
  assert.deepEqual([...new Set(faults.map(({ kind }) => kind))], ["pause"]);
  assert.deepEqual(scheduleOf(new Random(1), { ...settings, only: [] }), []);
});
