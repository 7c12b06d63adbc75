import assert from "node:assert/strict";
import { test } from "node:test";
import { freeze } from "./freeze.ts";

test("nobody changes what others hold as well, however deep in it", () => {
  const deal = freeze({ lines: [{ sources: [{ cost: "1" }] }], note: null, at: undefined });
  assert.throws(() => (deal.lines[0]!.sources[0]!.cost = "2"), TypeError);
  assert.throws(() => deal.lines.push({ sources: [] }), TypeError);
  assert.throws(() => ((deal as { note: unknown }).note = 1), TypeError);
});

test("what is frozen already is not walked through again, and stays the same object", () => {
  const shared = freeze({ a: { b: 1 } });
  const outer = freeze({ shared });
  assert.equal(outer.shared, shared);
  assert.equal(freeze(shared), shared);
  for (const plain of [1, "a", null, undefined, true]) assert.equal(freeze(plain), plain);
});
