import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { add, amount, canonical, compare, decimal, money, multiply, negate, quantity, subtract, units } from "./decimal.ts";

interface Decimal {
  plus(other: Decimal): Decimal;
  minus(other: Decimal): Decimal;
  times(other: Decimal): Decimal;
  cmp(other: Decimal): -1 | 0 | 1;
  toFixed(): string;
}
/** big.js, the yardstick; it ships no types. */
const Big = createRequire(import.meta.url)("big.js") as (text: string) => Decimal;

/** As somebody may type it: with needless zeros before and after. */
const typed = (decimals: number) =>
  fc
    .tuple(fc.boolean(), fc.bigInt(0n, 10n ** 12n - 1n), fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: decimals }))
    .map(([below, whole, rest]) => `${below ? "-" : ""}${whole}${rest && `.${rest}`}`);
const entered = typed(4);
const calculated = typed(8);
const plain = (value: Decimal) => value.toFixed().replace(/^-0$/, "0");

test("sums, differences and comparisons are those of exact decimals", () => {
  fc.assert(
    fc.property(calculated, calculated, calculated, (a, b, c) => {
      assert.equal(add(a, b, c), plain(Big(a).plus(Big(b)).plus(Big(c))));
      assert.equal(subtract(a, b), plain(Big(a).minus(Big(b))));
      assert.equal(compare(a, b), Big(a).cmp(Big(b)));
      assert.equal(negate(a), plain(Big("0").minus(Big(a))));
    }),
  );
});

test("a rate times a quantity is exact to the last of eight decimals", () => {
  fc.assert(fc.property(entered, entered, (rate, many) => assert.equal(multiply(rate, many), plain(Big(rate).times(Big(many))))));
  assert.equal(multiply("0.0001", "0.0001"), "0.00000001");
  assert.equal(multiply("-999999999999.9999", "999999999999.9999"), plain(Big("-999999999999.9999").times(Big("999999999999.9999"))));
});

test("a product that would have to be rounded is refused, never rounded", () => {
  assert.throws(() => multiply("0.00001", "0.0001"), RangeError);
});

test("however an amount is written, it is kept in one way: no needless zero, no minus nothing", () => {
  for (const [written, kept] of [
    ["2.50", "2.5"],
    ["007", "7"],
    ["-0", "0"],
    ["-0.00", "0"],
    ["0.10", "0.1"],
    ["-00.5", "-0.5"],
    ["1000", "1000"],
    ["100.0000", "100"],
  ] as const) {
    assert.equal(canonical(written), kept);
  }
  fc.assert(
    fc.property(calculated, (text) => {
      const kept = canonical(text);
      assert.equal(kept, plain(Big(text)));
      assert.equal(canonical(kept), kept);
      assert.equal(decimal(units(text)), kept);
    }),
  );
});

test("what is no decimal, or has more than eight decimals, is refused", () => {
  for (const text of ["", "-", ".5", "5.", "1e3", "0x10", " 1", "1 ", "1,5", "--1", "+1", "1.2.3", "NaN", "0.123456789", "١"]) {
    assert.throws(() => units(text), RangeError, text);
    assert.throws(() => canonical(text), RangeError, text);
  }
});

test("what may be entered can be calculated with, and what comes out is an amount", () => {
  const fits = ({ pattern }: { pattern: string }, text: string) => new RegExp(pattern).test(text);
  fc.assert(
    fc.property(entered, entered, (rate, many) => {
      fc.pre(fits(money, rate) && fits(quantity, many));
      assert.ok(fits(amount, multiply(rate, many)));
    }),
  );
  assert.ok(!fits(quantity, "-1") && fits(money, "-1"));
  assert.ok(!fits(money, "1.00001") && !fits(money, "1234567890123"));
});

test("what is read the quick way is what is read the long way, and what is no decimal is refused either way", () => {
  for (const text of [
    "0",
    "-0",
    "00",
    "7",
    "-7",
    "0.5",
    "-0.00000001",
    "90071992.54740991",
    "90071992.54740992",
    "99999999999999",
    "1.25000000",
  ]) {
    assert.equal(decimal(units(text)), plain(Big(text)), text);
  }
  for (const text of [
    "",
    "-",
    ".",
    ".5",
    "5.",
    "-.5",
    "1.2.3",
    "--1",
    "1e3",
    " 1",
    "1 ",
    "+1",
    "0.000000001",
    "1-",
    "٣",
    "1,5",
    "12345678901234567890.",
    "x",
  ]) {
    assert.throws(() => units(text), RangeError, text);
  }
  fc.assert(fc.property(fc.bigInt(-(10n ** 20n), 10n ** 20n), (value) => assert.equal(units(decimal(value)), value)));
});
