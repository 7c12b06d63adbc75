import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, test } from "node:test";
import { missing } from "../servers/install.ts";
import type { Break } from "./broken.ts";
import { runChaos } from "./chaos.run.ts";
import type { Fault } from "./chaos.schedule.ts";

/** A short sample of `npm run test:chaos`, and drivers that are wrong, which it must find. */
const SEED = 4;
const lacking = missing();
const skip = lacking.length > 0 && `not installed: ${lacking.join(" and ")}: npm run servers -- --install`;

const kill = (target: number, at: number): Fault => ({ kind: "kill", target, at, lasts: 300 });
const stop = (target: number, at: number): Fault => ({ kind: "stop", target, at, lasts: 1_500 });

/** A driver that is wrong, what is done meanwhile, and in which words it is found out. */
const wrong: [Break, seconds: number, faults: Fault[], RegExp][] = [
  ["early-ack", 8, [kill(2, 4_000)], /LOST|was never stored|NOT LINEARIZABLE/],
  ["delivered-twice", 6, [], /revenue by|the list.s .* was never stored/],
  ["never-sent", 6, [], /the list has|still moving/],
  ["stale-read", 14, [stop(2, 2_000), stop(2, 8_000)], /NOT LINEARIZABLE/], // actors go to another node, back, and there again
];

describe("a cluster under attack", { concurrency: 1, skip }, () => {
  test("a node is killed, another stands still, a NATS server is killed, the database is restarted: what clients were told holds", async () => {
    const faults: Fault[] = [
      kill(0, 2_000),
      { kind: "mongo", target: 0, at: 3_000, lasts: 500 },
      { kind: "pause", target: 2, at: 5_000, lasts: 4_000 },
      { kind: "nats", target: 1, at: 6_000, lasts: 1_000 },
    ];
    const { breaches, ops } = await runChaos({ seed: SEED, minutes: 0.25, nodes: 3, faults });
    assert.equal(breaches.slice(0, 5).join("\n"), "");
    assert.ok(ops > 100, `only ${ops} ops`);
  });

  for (const [broken, seconds, faults, finding] of wrong) {
    test(`a driver that is wrong is found out: ${broken}`, async () => {
      const { breaches, dir } = await runChaos({ seed: SEED, minutes: seconds / 60, nodes: 3, faults, broken });
      rmSync(dir, { recursive: true, force: true });
      assert.match(breaches.join("\n"), finding);
    });
  }
});
