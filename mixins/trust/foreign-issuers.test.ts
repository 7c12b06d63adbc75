import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newKey, startLiar } from "../../test/support/openid.ts";
import { id } from "../core/ids.ts";
import { ForeignIssuers, foreignId } from "./foreign-issuers.ts";

test("an issuer's new key counts once it may be asked again, and one that it has taken away counts no more", async (t) => {
  const [old, next] = [await newKey("old"), await newKey("next")];
  const liar = await startLiar(t, [old]);
  const shape = { hosts: [], algorithms: ["RS256"], type: "at+jwt", maxAge: 3_600, rolesClaim: "roles", roles: { desk: ["trader"] } };
  const issuers = new ForeignIssuers([{ issuer: liar.url, audience: "us", prefix: "acme", ...shape }]);
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: liar.url, aud: "us", sub: "ann", iat: now, exp: now + 3_600, roles: ["desk"] };
  const [byOld, byNext] = [await old.sign(claims), await next.sign(claims)];
  const expected = { user: { id: "acme~~ann", roles: ["trader"] }, made: now * 1_000, until: (now + 3_600) * 1_000 };
  assert.deepEqual(await issuers.verify(byOld), expected);

  liar.keys = [old, next];
  await assert.rejects(issuers.verify(byNext)!, { type: "TOKEN_INVALID" }, "it was asked a moment ago");
  t.mock.timers.tick(31_000);
  assert.deepEqual(await issuers.verify(byNext), expected);
  assert.deepEqual(await issuers.verify(byOld), expected);

  liar.keys = [next];
  t.mock.timers.tick(601_000);
  await assert.rejects(issuers.verify(byOld)!, { type: "TOKEN_INVALID" });
  assert.deepEqual(await issuers.verify(byNext), expected);
  assert.equal(issuers.verify("x"), undefined);
});

test("every subject has an id of its own here, which is one", () => {
  const subject = fc.oneof(fc.string({ minLength: 1, maxLength: 255 }), fc.string({ unit: "binary", minLength: 1, maxLength: 100 }));
  const grammar = new RegExp(id.pattern);
  fc.assert(
    fc.property(subject, subject, (a, b) => {
      if (a.length > 255 || b.length > 255 || !a.isWellFormed() || !b.isWellFormed()) return;
      const [one, other] = [foreignId("acme", a), foreignId("acme", b)];
      assert.match(one, grammar);
      assert.equal(one === other, a === b);
      assert.ok(one.startsWith("acme~~"));
    }),
  );
  for (const none of ["", "x".repeat(256), "\ud800", 7, null, undefined])
    assert.throws(() => foreignId("acme", none), { type: "TOKEN_INVALID" });
});
