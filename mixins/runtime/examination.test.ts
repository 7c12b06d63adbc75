import assert from "node:assert/strict";
import { test } from "node:test";
import { atLeast, Examination } from "./examination.ts";

test("versions are compared by number, whatever stands before or after", () => {
  for (const version of ["2.10.0", "2.11", "v2.10.3", "3.0.0-beta.1", "2.10-RC"]) assert.ok(atLeast(version, 2, 10), version);
  for (const version of ["2.9.25", "1.99", "v2.2", "", "unknown"]) assert.ok(!atLeast(version, 2, 10), version);
});

test("a clock that differs is told by how much, less what the way there and back may have taken", () => {
  const clock = (ahead: number, asked = Date.now()) => {
    const here = new Examination("x");
    here.clock(Date.now() + ahead, asked);
    return here.findings[0]!;
  };
  assert.equal(clock(0).level, "ok");
  assert.equal(clock(-2_000).level, "warn");
  assert.equal(clock(2_000).level, "warn");
  assert.equal(clock(-60_000).level, "wrong");
  assert.match(clock(-60_000).says, /differ by 600\d\d ms/);
  assert.equal(clock(-2_000, Date.now() - 3_000).level, "ok", "it may have been read when the question came");
});

test("what a server does not answer is a warning, and the examination goes on", async () => {
  const here = new Examination("x");
  assert.equal(await here.ask("its size", async () => 7), 7);
  assert.equal(await here.ask("its colour", () => Promise.reject(new Error("no such\ncommand"))), undefined);
  assert.deepEqual(here.findings, [{ level: "warn", about: "x", says: "its colour cannot be seen: no such command" }]);
});
