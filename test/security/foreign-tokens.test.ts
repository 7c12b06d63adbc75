import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SignJWT, UnsecuredJWT } from "jose";
import { codeOf, withUser } from "../support/clients.ts";
import { ask } from "../support/http.ts";
import { type Key, newKey, startLiar, startProvider } from "../support/openid.ts";
import { until } from "../support/other-node.ts";
import { folder } from "../support/system.ts";

const AUDIENCE = "https://banyan.example/api";
const ROLES = { desk: ["trader", "reader"], boss: ["admin"] };

const start = async (t: TestContext, issuers: object[]) =>
  withUser(t, ["trader"], { DATA_DIR: folder(t), TRUSTED_ISSUERS: JSON.stringify(issuers) });

/** An issuer of the test's own, which the system trusts, and what it says in a token that counts. */
const withIssuer = async (t: TestContext, over: object = {}) => {
  const key = await newKey("k1");
  const liar = await startLiar(t, [key]);
  const system = await start(t, [{ issuer: liar.url, audience: AUDIENCE, roles: ROLES, prefix: "acme", ...over }]);
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: liar.url, aud: AUDIENCE, sub: "ann", iat: now, exp: now + 600, roles: ["desk"] };
  return { ...system, liar, key, now, claims };
};

test("an access token of a real provider counts: its subject is somebody of that provider's, with the roles that those are here", async (t) => {
  const { url: issuer } = await startProvider(t, {});
  const { get, post } = await start(t, [{ issuer, audience: AUDIENCE, roles: ROLES, prefix: "acme" }]);
  const { json } = await ask(`${issuer}/token`, {
    body: new URLSearchParams({ grant_type: "client_credentials", resource: AUDIENCE }).toString(),
    headers: {
      authorization: `Basic ${Buffer.from("machine:a+secret+of+two").toString("base64")}`,
      "content-type": "application/x-www-form-urlencoded",
    },
  });
  const token = json.access_token as string;
  assert.match(token, /^ey/, JSON.stringify(json));
  assert.equal((await get("customers", token)).status, 200);
  assert.equal((await post("customers", { name: "Acme" }, token)).status, 201);
  assert.deepEqual(codeOf(await get("users", token)), [403, "NOT_ALLOWED"]);
});

test("what is not quite a token of a trusted issuer's is none, beside one that is", async (t) => {
  const { get, key, liar, claims, now } = await withIssuer(t);
  const strange = await newKey("k1");
  const publicText = JSON.stringify(key.jwk);
  const good = await key.sign(claims);
  assert.equal((await get("customers", good)).status, 200);
  const [head, body, signature] = good.split(".") as [string, string, string];
  const wrong: Record<string, string> = {
    "for another audience": await key.sign({ ...claims, aud: "https://another.example" }),
    "for nobody": await key.sign({ ...claims, aud: undefined }),
    "for us as our own tokens are": await key.sign({ ...claims, aud: "tests" }),
    "not signed (none)": new UnsecuredJWT(claims).encode(),
    "without its signature": `${head}.${body}.`,
    "signed with the public key as a secret (HS256)": await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid: "k1", typ: "at+jwt" })
      .sign(Buffer.from(publicText)),
    "signed by another key of the same name": await strange.sign(claims),
    "with the key in its own head (jwk)": await strange.sign(claims, { jwk: strange.jwk }),
    "with the address of its keys (jku)": await strange.sign(claims, { jku: `${liar.url}/elsewhere` }),
    "by a key that the issuer does not have": await key.sign(claims, { kid: "k9" }),
    "of nobody": await key.sign({ ...claims, sub: undefined }),
    "without an end": await key.sign({ ...claims, exp: undefined }),
    "without a beginning": await key.sign({ ...claims, iat: undefined }),
    "not yet": await key.sign({ ...claims, nbf: now + 300 }),
    "made tomorrow": await key.sign({ ...claims, iat: now + 86_400, exp: now + 90_000 }),
    "an ID token": await key.sign(claims, { typ: "JWT" }),
    "of another body": `${head}.${Buffer.from(JSON.stringify({ ...claims, roles: ["boss"] })).toString("base64url")}.${signature}`,
  };
  for (const [why, token] of Object.entries(wrong)) {
    const { status, json } = await get("customers", token);
    assert.deepEqual([status, json.code], [401, "TOKEN_INVALID"], why);
  }
  for (const [why, change] of Object.entries({
    over: { iat: now - 900, exp: now - 600 },
    "older than tokens of this issuer may be": { iat: now - 7_200 },
  })) {
    const { status, json } = await get("customers", await key.sign({ ...claims, ...change }));
    assert.equal(status, 401, why);
    assert.match(String(json.code), /^TOKEN_/, why);
  }
  assert.equal((await get("customers", good)).status, 200);
  assert.ok(!liar.asked.includes("/elsewhere"));
});

test("who is not configured is not asked, whatever a token says of itself", async (t) => {
  const { get, claims } = await withIssuer(t);
  const key = await newKey("k1");
  const stranger = await startLiar(t, [key]);
  for (const iss of [stranger.url, `${stranger.url}/`, `${claims.iss}/`, `${claims.iss}@evil.example`, [claims.iss], undefined]) {
    const token = await key.sign({ ...claims, iss: iss as string }, { jku: `${stranger.url}/jwks` });
    assert.deepEqual(codeOf(await get("customers", token)), [401, "TOKEN_INVALID"], String(iss));
  }
  assert.deepEqual(stranger.asked, []);
});

test("its subjects are none of our users, and none of our users is made with a name of theirs", async (t) => {
  const { get, post, key, claims, admin } = await withIssuer(t);
  const token = await key.sign({ ...claims, roles: ["boss"] });
  assert.deepEqual((await get("auth/identities", token)).json, { items: [] });
  const { status, json } = await post("customers", { id: "c-1", name: "Acme" }, token);
  assert.equal(status, 201, JSON.stringify(json));
  assert.deepEqual(codeOf(await post("users", { id: "acme~~ann", name: "A", email: "a@acme.example" }, admin)), [422, "ID_UNFIT"]);
  assert.deepEqual(codeOf(await post("auth/users/acme~~ann/link", {}, admin)), [404, "USER_NOT_ACTIVE"]);
  for (const sub of ["a/../b", "ann\n", "ü".repeat(80), "x".repeat(255), "~", "_"]) {
    assert.equal((await get("auth/sessions", await key.sign({ ...claims, sub }))).status, 200, sub);
  }
  for (const sub of ["", "x".repeat(256)]) {
    assert.deepEqual(codeOf(await get("auth/sessions", await key.sign({ ...claims, sub }))), [401, "TOKEN_INVALID"]);
  }
});

test("roles that the issuer makes up are none of ours, also where they have our names", async (t) => {
  const { get, key, claims } = await withIssuer(t, { rolesClaim: "realm_access.roles" });
  const by = (roles: unknown, more: object = {}) => key.sign({ ...claims, roles: ["boss"], realm_access: { roles }, ...more });
  assert.equal((await get("customers", await by(["desk"]))).status, 200);
  assert.equal((await get("customers", await by("x desk"))).status, 200);
  for (const roles of [["admin"], ["__proto__", "constructor"], [["desk"]], { desk: true }, null, undefined, "admin", ["DESK"]]) {
    assert.deepEqual(codeOf(await get("customers", await by(roles))), [403, "NOT_ALLOWED"], JSON.stringify(roles));
  }
});

test("tokens of keys that an issuer does not have do not have it asked each time", async (t) => {
  const { get, key, claims, liar } = await withIssuer(t);
  assert.equal((await get("customers", await key.sign(claims))).status, 200);
  const asked = () => liar.asked.filter((path) => path === "/jwks").length;
  const before = asked();
  const strange: Key = await newKey("k2");
  for (let n = 0; n < 10; n++) assert.equal((await get("customers", await strange.sign({ ...claims, jti: String(n) }))).status, 401);
  assert.equal(asked(), before, "it was asked a moment ago");
});

test("a new key of an issuer's counts at a door that has not asked before", async (t) => {
  const { get, key, claims, liar } = await withIssuer(t);
  const next = await newKey("k2");
  liar.keys = [key, next];
  assert.equal((await get("customers", await next.sign(claims))).status, 200);
  assert.equal((await get("customers", await key.sign(claims))).status, 200);
});

test("while an issuer is away its tokens are told so, and ours go on; it is not asked for each of them", async (t) => {
  const { get, key, claims, liar, login } = await withIssuer(t);
  const { json } = await login("ann@acme.example");
  liar.redirect = `${liar.url}/round`;
  for (let n = 0; n < 10; n++) {
    const { status, json: problem } = await get("customers", await key.sign({ ...claims, jti: String(n) }));
    assert.deepEqual([status, problem.code], [503, "ISSUER_UNAVAILABLE"]);
  }
  assert.equal(liar.asked.length, 1, liar.asked.join());
  assert.equal((await get("customers", json.accessToken)).status, 200);
});

test("an administrator ends what somebody of another system has by now, by the id that he has here", async (t) => {
  const { get, post, key, claims, admin, now } = await withIssuer(t);
  const token = await key.sign({ ...claims, iat: now - 30 });
  assert.equal((await get("customers", token)).status, 200);
  assert.equal((await post("auth/users/acme~~ann/end-sessions", {}, admin)).status, 200);
  await until(async () => (await get("customers", token)).json.code === "SESSION_ENDED");
  assert.equal((await get("customers", await key.sign({ ...claims, sub: "bob", iat: now - 30 }))).status, 200);
});
