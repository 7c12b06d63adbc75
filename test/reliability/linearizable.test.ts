import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as holds, integer, nat, property, record } from "fast-check";
import { type Call, linearizable, type Spec } from "./linearizable.ts";

/** A number that can be read, written, and replaced where it is as expected. */
type Input = { read: true } | { write: number } | { from: number; to: number };
type Output = number | "done" | "refused";

const register: Spec<number, Input, Output> = {
  initial: 0,
  step(state, input, output) {
    if ("read" in input) return output === undefined || output === state ? state : undefined;
    if ("write" in input) return input.write;
    if (state === input.from) return output === "refused" ? undefined : input.to;
    return output === "done" ? undefined : state;
  },
  key: String,
};

const read = (value: number | undefined, began: number, ended = began + 1): Call<Input, Output> => ({
  ...{ input: { read: true }, output: value, began, ended },
});
const write = (value: number, began: number, ended: number): Call<Input, Output> => ({
  input: { write: value },
  output: "done",
  began,
  ended,
});
const doubt = (value: number, began: number): Call<Input, Output> => ({ input: { write: value }, began, ended: began + 1 });
const isLinearizable = (...calls: Call<Input, Output>[]) => linearizable(register, calls).ok;

test("one after another, each read is what was written last", () => {
  assert.equal(isLinearizable(), true);
  assert.equal(isLinearizable(read(0, 0), write(1, 2, 3), read(1, 4), write(2, 6, 7), read(2, 8)), true);
  assert.equal(isLinearizable(write(1, 0, 1), read(0, 2)), false);
  assert.equal(isLinearizable(write(1, 0, 1), write(2, 2, 3), read(1, 4)), false);
});

test("a read beside a write may see either, and who asks after him no less", () => {
  assert.equal(isLinearizable(write(1, 0, 10), read(0, 1), read(1, 3)), true);
  assert.equal(isLinearizable(write(1, 0, 10), read(1, 1), read(1, 3)), true);
  assert.equal(isLinearizable(write(1, 0, 10), read(1, 1), read(0, 3)), false);
});

test("nobody sees a write before it was asked for", () => {
  assert.equal(isLinearizable(read(1, 0), write(1, 2, 3)), false);
  assert.equal(isLinearizable(read(1, 0, 2), write(1, 2, 3)), true); // of one moment: they were under way together
});

test("what is in doubt may have happened at any time since, late, or never; and not before, or twice", () => {
  assert.equal(isLinearizable(doubt(1, 0), read(0, 2)), true);
  assert.equal(isLinearizable(doubt(1, 0), read(0, 2), read(1, 4)), true);
  assert.equal(isLinearizable(doubt(1, 0), read(0, 2), read(1, 4), read(0, 6)), false);
  assert.equal(isLinearizable(doubt(1, 0), read(1, 2), write(2, 4, 5), read(1, 6)), false);
  assert.equal(isLinearizable(read(1, 0), doubt(1, 2)), false);
});

test("of two who replace the same, one is refused", () => {
  const swap = (to: number, output: Output | undefined, began: number): Call<Input, Output> => ({
    ...{ input: { from: 0, to }, output, began, ended: began + 5 },
  });
  assert.equal(isLinearizable(swap(1, "done", 0), swap(2, "refused", 1), read(1, 10)), true);
  assert.equal(isLinearizable(swap(1, "done", 0), swap(2, "done", 1)), false);
  assert.equal(isLinearizable(swap(1, undefined, 0), swap(2, "refused", 6), read(1, 20)), true);
  assert.equal(isLinearizable(swap(1, undefined, 0), swap(2, "done", 6), read(1, 20)), false);
});

test("it says which call has no place", () => {
  const wrong = read(0, 4);
  const verdict = linearizable(register, [write(1, 0, 1), read(1, 2), wrong, read(1, 6)]);
  assert.deepEqual([verdict.ok, "stuck" in verdict && verdict.stuck, "behind" in verdict && verdict.behind], [false, wrong, 2]);
});

test("a long history of many clients, many of whose calls are in doubt, is judged in time", () => {
  const calls: Call<Input, Output>[] = [];
  for (let n = 0; n < 600; n++) {
    calls.push(n % 30 === 0 ? doubt(-n, n) : write(n, n, n + 4));
    if (n > 10 && n % 3 === 0 && n % 30 !== 1) calls.push(read(n - 1, n + 3.5));
  }
  const { ok, steps } = linearizable(register, calls);
  assert.equal(ok, true);
  assert.ok(steps < 3_000_000, `${steps} steps`);
});

/** Every order there is, and every choice of what in doubt has happened. */
const bruteForce = (calls: readonly Call<Input, Output>[], state = register.initial): boolean => {
  if (calls.every(({ output }) => output === undefined)) return true;
  return calls.some((call, n) => {
    const others = calls.toSpliced(n, 1);
    if (others.some(({ output, ended }) => output !== undefined && ended < call.began)) return false;
    const after = register.step(state, call.input, call.output);
    return after !== undefined && bruteForce(others, after);
  });
};

test("it judges as one who tries all orders", () => {
  const call = record({ kind: integer({ min: 0, max: 4 }), value: nat(2), other: nat(2), began: nat(12), took: nat(5) }).map(
    ({ kind, value, other, began, took }): Call<Input, Output> => {
      const at = { began, ended: began + took };
      if (kind === 0) return { input: { read: true }, output: value, ...at };
      if (kind === 1) return { input: { write: value }, output: "done", ...at };
      if (kind === 2) return { input: { write: value }, ...at };
      return { input: { from: value, to: other }, output: kind === 3 ? "done" : "refused", ...at };
    },
  );
  let good = 0;
  holds(
    property(array(call, { maxLength: 7 }), (calls) => {
      const expected = bruteForce(calls);
      if (expected) good++;
      return linearizable(register, calls).ok === expected;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(good > 300, `only ${good} of them were good`);
});
