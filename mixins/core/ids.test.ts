import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { id, idOf, productId, warehouseId } from "./ids.ts";

const fits = ({ pattern }: { pattern: string }, text: string) => new RegExp(pattern).test(text);

test("a code that is an id already stays as it is; another one is spelt out", () => {
  assert.equal(idOf("85123A"), "85123A");
  assert.equal(idOf("BANK CHARGES"), "BANK~20CHARGES");
  assert.equal(idOf("_draft"), "0~_draft");
  assert.equal(idOf(" lead"), "0~~20lead");
  assert.equal(idOf("a~b"), "a~7eb");
  assert.equal(idOf("é"), "0~~c3~a9");
  assert.equal(idOf(""), "0~");
});

test("every code gives an id, as long as it is short enough", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 5 }), (code) => assert.ok(fits(id, idOf(code)), idOf(code))));
});

test("two codes never share an id", () => {
  const tricky = fc.string({ unit: fc.constantFrom(..."0~_-7e2A é"), maxLength: 6 });
  const code = fc.oneof(tricky, fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(code, code, (a, b) => assert.equal(idOf(a) === idOf(b), a === b)),
    { numRuns: 5_000 },
  );
});

test("two codes never share an id: every short code there is", () => {
  const letters = [..."0~_-7ef5 "];
  const codes = ["", ...letters, ...letters.flatMap((a) => letters.flatMap((b) => [a + b, ...letters.map((c) => a + b + c)]))];
  assert.equal(new Set(codes.map(idOf)).size, codes.length);
});

test("an id goes into a path, a subject or a key without meaning anything there", () => {
  for (const text of [
    "",
    ".",
    "a.b",
    "a b",
    "a/b",
    "a\n",
    "\na",
    "a\r\n",
    "~a",
    "_a",
    "-a",
    "a*",
    "a>",
    "a%20",
    "ä",
    "a\u0000",
    "a".repeat(65),
  ]) {
    assert.ok(!fits(id, text), JSON.stringify(text));
  }
  for (const text of ["a", "0", "a".repeat(64), "main~BANK~20CHARGES", "a_b-c~d"]) assert.ok(fits(id, text));
});

test("a warehouse and a product make one id together, and can be told apart in it", () => {
  const [w, p] = ["w".repeat(16), "p".repeat(47)];
  assert.ok(fits(warehouseId, w) && fits(productId, p) && fits(id, `${w}~${p}`));
  assert.ok(!fits(warehouseId, "a~b"));
});
