import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { JWK } from "jose";
import { publicPart, type SigningKey, signed } from "./access-token.ts";
import { Tokens } from "./tokens.ts";

const newKey = (kid: string): SigningKey => ({
  kid,
  jwk: generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as JWK,
});
const ours = newKey("ours");
const strange = newKey("strange");
const ISSUER = "tests";
const ann = { id: "ann", roles: ["trader"], session: "s1" };

const b64 = (value: object | string) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());

/** What reads tokens, with a count of how often it asked for keys. */
const reader = (keys: SigningKey[] = [ours]) => {
  let [asked, ended] = [0, new Set<string>()];
  const sources = {
    async keys() {
      asked++;
      return keys.map(publicPart);
    },
    apiKey: () => Promise.reject(new Error("there are none")),
  };
  const tokens = new Tokens(sources, ({ session }) => ended.has(session ?? ""));
  return { tokens, verify: async (token: string) => tokens.verify(token), asked: () => asked, end: (id: string) => ended.add(id), keys };
};

test("a token says whose it is, and a second time it is known at once", async () => {
  const { tokens, verify, asked } = reader();
  const token = await signed(ours, ISSUER, ann, 60);
  assert.deepEqual(await verify(token), ann);
  assert.deepEqual(tokens.verify(token), ann, "no promise");
  assert.equal(asked(), 1);
});

/** Each beside the token that counts: one thing is changed in it. */
const forged: [what: string, forge: (token: string) => string | Promise<string>][] = [
  ["without a signature, by an algorithm that asks for none", (token) => `${b64({ alg: "none", typ: "at+jwt" })}.${token.split(".")[1]}.`],
  ["with the word none in other letters", (token) => `${b64({ alg: "nOnE", typ: "at+jwt" })}.${token.split(".")[1]}.`],
  [
    "signed by HMAC with our public key as the secret",
    (token) => {
      const head = `${b64({ alg: "HS256", kid: "ours", typ: "at+jwt" })}.${token.split(".")[1]}`;
      return `${head}.${createHmac("sha256", Buffer.from(ours.jwk.x!, "base64url")).update(head).digest("base64url")}`;
    },
  ],
  ["signed by a key of the forger's under our key's name", () => signed({ ...strange, kid: "ours" }, ISSUER, ann, 60)],
  ["signed by a key that nobody knows", () => signed(strange, ISSUER, ann, 60)],
  ["that brings its own key along", (token) => headed(token, { jwk: publicPart(strange) })],
  [
    "that says where its key is to be had",
    (token) => headed(token, { jku: "https://evil.example/jwks.json", x5u: "https://evil.example" }),
  ],
  ["whose key is named by a path", (token) => headed(token, { kid: "../../../../dev/null" })],
  ["whose key is named by what every object has", (token) => headed(token, { kid: "__proto__" })],
  ["whose key's name is a query", (token) => headed(token, { kid: "ours' OR '1'='1" })],
  ["of another kind: an identity token", (token) => headed(token, { typ: "JWT" })],
  ["with a demand that we do not know", (token) => headed(token, { crit: ["exp"], exp: 1 })],
  ["for another system", () => signed(ours, "another", ann, 60)],
  ["whose user was changed", (token) => claiming(token, { sub: "bob" })],
  ["whose roles were changed", (token) => claiming(token, { roles: ["admin"] })],
  ["that says it lasts for years", () => signed(ours, ISSUER, ann, 100_000)],
  ["that lasts longer than it was given for", (token) => claiming(token, { exp: 4_000_000_000 })],
  ["whose signature was cut", (token) => token.slice(0, -4)],
  ["of two parts", (token) => token.split(".").slice(0, 2).join(".")],
  ["that is no token", () => "eyJ.e30.x"],
  ["of nothing", () => ""],
  ["as long as a book", (token) => token + "A".repeat(10_000)],
];
const headed = (token: string, change: object) => {
  const [head, ...rest] = token.split(".");
  return [b64({ ...read(head!), ...change }), ...rest].join(".");
};
const claiming = (token: string, change: object) => {
  const [head, claims, signature] = token.split(".");
  return [head, b64({ ...read(claims!), ...change }), signature].join(".");
};
for (const [what, forge] of forged) {
  test(`a token ${what} does not count`, async () => {
    const { verify } = reader();
    const token = await signed(ours, ISSUER, ann, 60);
    assert.deepEqual(await verify(token), ann);
    await assert.rejects(verify(await forge(token)), { type: "TOKEN_INVALID", code: 401 });
  });
}

test("a token counts until it expires, also where it has been seen before", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const { verify } = reader();
  const token = await signed(ours, ISSUER, ann, 60);
  await verify(token);
  t.mock.timers.tick(59_000);
  await verify(token);
  t.mock.timers.tick(1_000);
  await assert.rejects(verify(token), { type: "TOKEN_EXPIRED", code: 401 });
  await assert.rejects(verify(token), { type: "TOKEN_EXPIRED", code: 401 });
});

test("a token of a session that was ended does not count, also where it has been seen before", async () => {
  const { verify, end } = reader();
  const token = await signed(ours, ISSUER, ann, 60);
  await verify(token);
  end("s1");
  await assert.rejects(verify(token), { type: "SESSION_ENDED", code: 401 });
  assert.equal((await verify(await signed(ours, ISSUER, { ...ann, session: "s2" }, 60))).session, "s2");
});

test("a key that is new is asked for; names that nobody has are asked for once a second, however many come", async () => {
  const { verify, keys, asked } = reader([]);
  keys.push(ours);
  await verify(await signed(ours, ISSUER, ann, 60));
  const made = await Promise.all(Array.from({ length: 50 }, (_, n) => signed(newKey(`k${n}`), ISSUER, ann, 60)));
  for (const result of await Promise.allSettled(made.map(verify))) assert.equal(result.status, "rejected");
  assert.equal(asked(), 1);
});

test("a system whose keys cannot be asked for says that it is so, not that the token is wrong; its own keys need nobody", async () => {
  const away = Object.assign(new Error("no such service"), { code: 404, type: "SERVICE_NOT_FOUND" });
  const tokens = new Tokens({ keys: () => Promise.reject(away), apiKey: () => Promise.reject(away) }, () => false, [publicPart(strange)]);
  assert.deepEqual(await tokens.verify(await signed(strange, ISSUER, ann, 60)), ann);
  await assert.rejects(async () => tokens.verify(await signed(ours, ISSUER, ann, 60)), { type: "ROOM_UNAVAILABLE", code: 503 });
});

test("roles that are no list of texts are none", async () => {
  const { verify } = reader();
  for (const roles of ["admin", [1, {}], { admin: true }]) {
    assert.deepEqual((await verify(await signed(ours, ISSUER, { id: "ann", roles: roles as never }, 60))).roles, []);
  }
});
