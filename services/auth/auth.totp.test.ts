import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, newTotpSecret, otpauthUrl, recoveryCodes, totpStep } from "./auth.totp.ts";

/** RFC 6238, appendix B, SHA-1: "12345678901234567890" as the secret, in seconds; of its eight digits the last six. */
const SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const VECTORS: [number, string][] = [
  [59, "94287082"],
  [1111111109, "07081804"],
  [1111111111, "14050471"],
  [1234567890, "89005924"],
  [2000000000, "69279037"],
  [20000000000, "65353130"],
].map(([seconds, code]) => [Number(seconds), String(code).slice(2)]);
const [[, CODE]] = VECTORS as [[number, string]]; // of step 1: from second 30 to 59

test("the code on the phone is taken in its half minute, and in the one before and after", () => {
  for (const [seconds, code] of VECTORS) {
    const step = Math.floor(seconds / 30);
    for (const off of [-1, 0, 1]) assert.equal(totpStep(SECRET, code, (seconds + 30 * off) * 1000, -1), step, code);
    for (const off of [-3, -2, 2, 3]) assert.equal(totpStep(SECRET, code, (seconds + 30 * off) * 1000, -1), undefined, code);
  }
  assert.equal(totpStep(SECRET, CODE, 0, -1), 1);
  assert.equal(totpStep(SECRET, CODE, 89_999, -1), 1);
  assert.equal(totpStep(SECRET, CODE, 90_000, -1), undefined);
});

test("a code is taken once, and none from before it", () => {
  const taken = totpStep(SECRET, CODE, 59_000, 0);
  assert.equal(taken, 1);
  assert.equal(totpStep(SECRET, CODE, 59_000, 1), undefined);
  assert.equal(totpStep(SECRET, CODE, 59_000, 2), undefined);
});

test("a code that by chance is that of two half minutes is taken once all the same", () => {
  for (const [first, second, code] of [
    [910_737, 910_738, "911617"],
    [153_567, 153_569, "468457"],
  ] as const) {
    const at = (first + 1) * 30_000;
    assert.equal(totpStep(SECRET, code, at, first - 1), second);
    assert.equal(totpStep(SECRET, code, at, second), undefined);
  }
});

test("at whatever moment, a taken code is not taken again while it could fit", () => {
  // RFC 4226, appendix D: the codes of the steps 0 to 9 of the same secret.
  const codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
  fc.assert(
    fc.property(fc.nat(9), fc.array(fc.nat(330_000)), (which, moments) => {
      let after = -1;
      let taken = 0;
      for (const at of moments) {
        const step = totpStep(SECRET, codes[which]!, at, after);
        if (step === undefined) continue;
        assert.equal(step, which);
        assert.ok(Math.abs(Math.floor(at / 30_000) - step) <= 1);
        after = step;
        taken++;
      }
      assert.ok(taken <= 1);
    }),
  );
});

test("what is no code of six digits is not taken", () => {
  for (const code of ["", "28708", "2870822", " 287082", "287082\n", "28708２", "2870-82", "94287082"]) {
    assert.equal(totpStep(SECRET, code, 59_000, -1), undefined, JSON.stringify(code));
  }
  fc.assert(
    fc.property(fc.string(), fc.nat(2 ** 31), (code, seconds) => {
      fc.pre(!/^\d{6}$/.test(code));
      assert.equal(totpStep(SECRET, code, seconds * 1000, -1), undefined);
    }),
  );
});

test("a secret is 160 bits in base32, another each time; what is none is refused", () => {
  const secrets = Array.from({ length: 50 }, newTotpSecret);
  for (const secret of secrets) {
    assert.match(secret, /^[A-Z2-7]{32}$/);
    totpStep(secret, CODE, 59_000, -1); // does not throw
  }
  assert.equal(new Set(secrets).size, 50);
  assert.equal(new Set(secrets.join("")).size, 32, "every character of the alphabet comes up");
  for (const secret of ["", "GEZDGNBV", SECRET.toLowerCase(), `${SECRET}=`, SECRET.replace("Z", "1")]) {
    assert.throws(() => totpStep(secret, CODE, 59_000, -1), RangeError, secret);
  }
});

test("the phone shows whose account it is, whatever the names", () => {
  assert.equal(otpauthUrl(SECRET, "anna@example.com", "Banyan"), `otpauth://totp/Banyan:anna%40example.com?secret=${SECRET}&issuer=Banyan`);
  fc.assert(
    fc.property(fc.emailAddress(), fc.string({ minLength: 1, unit: "grapheme" }), (email, issuer) => {
      const url = new URL(otpauthUrl(SECRET, email, issuer));
      assert.equal(url.searchParams.get("secret"), SECRET);
      assert.equal(url.searchParams.get("issuer"), issuer);
      assert.equal(decodeURIComponent(url.pathname.replace(/^\/+/, "")), `${issuer}:${email}`);
    }),
  );
});

test("whoever has lost the phone has ten codes, which nobody misreads", () => {
  const codes = recoveryCodes();
  assert.equal(new Set([...codes, ...recoveryCodes()]).size, 20);
  for (const code of codes) assert.match(code, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
});

test("a recovery code is the same however it is typed, and kept as a digest", () => {
  assert.equal(digestOf("7K2QX-M4T9B"), createHash("sha256").update("7K2QXM4T9B").digest("hex"));
  assert.equal(digestOf("01AB1-CD0EF"), digestOf(" oLab icdoef\n"));
  fc.assert(
    fc.property(fc.constantFrom(...recoveryCodes()), fc.constantFrom(...recoveryCodes()), (code, other) => {
      assert.equal(digestOf(code.toLowerCase().replace("-", " ")), digestOf(code));
      assert.notEqual(digestOf(other), digestOf(code));
    }),
  );
});
