import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, test } from "node:test";
import type { Break } from "./broken.ts";
import { cases, runCase } from "./cases.ts";

/** A short sample of `npm run test:crash`: all cases at once. */
const SEED = 20;
const everything = { ...cases.several, twice: 0.3, faults: 0.02, pauses: 0 };

/** A driver that is wrong, where it is found out, and in which words. */
const wrong: [Break, keyof typeof cases, runs: number, RegExp][] = [
  ["early-ack", "one", 1, /LOST|was never stored/],
  ["double-count", "one", 0, /revenue by month/],
  ["stale-read", "several", 0, /went back/],
  ["forgetful", "twice", 0, /DOUBLED/],
];

describe("what clients were told holds", { concurrency: 2 }, () => {
  test("three processes on one folder, killed during writes, with stores that fail and requests that come twice, keep what they said", async () => {
    const { breaches, kills, ops } = await runCase(everything, { runs: 3, seed: SEED });
    assert.equal(breaches.slice(0, 5).join("\n"), "");
    assert.equal(kills, 3);
    assert.ok(ops > 50, `only ${ops} ops`);
  });

  for (const [broken, name, runs, finding] of wrong) {
    test(`a driver that is wrong is found out: ${broken}`, async () => {
      const { breaches, dir } = await runCase(cases[name], { runs, seed: SEED, broken });
      rmSync(dir, { recursive: true, force: true });
      assert.match(breaches.join("\n"), finding);
    });
  }
});
