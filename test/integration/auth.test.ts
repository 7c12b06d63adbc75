import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { newTotpSecret, totpStep } from "../../services/auth/auth.totp.ts";
import { client, codeOf, type Granted, PASSWORD, ROOMS, withUser } from "../support/clients.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder, run, type System, startSystem } from "../support/system.ts";

test("the first start prints a link that makes somebody the administrator, once; there is no other way in", async (t) => {
  const env = { DATA_DIR: folder(t) };
  const first = await startSystem(t, env, ROOMS);
  const link = await said(first);
  const { post, get, login } = client(first);
  assert.deepEqual(codeOf(await get("users")), [401, "LOGIN_REQUIRED"]);
  for (const password of ["", "admin", "password", "banyan"]) {
    assert.ok([401, 422].includes((await login("administrator@banyan.invalid", password)).status));
  }
  assert.deepEqual(codeOf(await post("auth/redeem", { link, password: "administrator" })), [422, "PASSWORD_WEAK"]);
  assert.equal((await post("auth/redeem", { link, password: PASSWORD })).status, 200);
  assert.deepEqual(codeOf(await post("auth/redeem", { link, password: PASSWORD })), [410, "LINK_INVALID"]);
  const { json } = await login("administrator@banyan.invalid");
  assert.equal((await get("users", json.accessToken)).status, 200);
  await first.stop();
  const again = await startSystem(t, env, ROOMS);
  await client(again).login("administrator@banyan.invalid");
  assert.equal(await again.stop(), 0);
  assert.doesNotMatch(again.told(), /welcome/);
});

/** The link that a start prints. */
const said = ({ told }: System): Promise<string> => until(async () => /\/welcome#(\S+)/.exec(told())?.[1]);

test("who logs in may do what his roles may, and nothing else", async (t) => {
  const { login, get, post } = await withUser(t, ["reader"]);
  const { json, status } = await login("ANN@acme.example");
  assert.equal(status, 200);
  assert.equal((await get("customers", json.accessToken)).status, 200);
  assert.deepEqual(codeOf(await post("customers", { name: "Acme" }, json.accessToken)), [403, "NOT_ALLOWED"]);
  assert.deepEqual(codeOf(await get("users", json.accessToken)), [403, "NOT_ALLOWED"]);
  assert.deepEqual(codeOf(await post("auth/users/ann/link", {}, json.accessToken)), [403, "NOT_ALLOWED"]);
});

test("a wrong password, nobody's e-mail and a closed login are answered alike", async (t) => {
  const { login, post, admin } = await withUser(t);
  await post("users", { id: "bob", name: "Bob", email: "bob@acme.example" }, admin); // has no password yet
  const answers = await Promise.all([
    login("ann@acme.example", "an open umbrella in the hall"),
    login("nobody@acme.example"),
    login("bob@acme.example"),
  ]);
  for (const answer of answers) assert.deepEqual(codeOf(answer), [401, "LOGIN_FAILED"]);
});

test("whoever guesses has to wait longer each time, whether anybody has the e-mail or not, and the right password waits as well", async (t) => {
  const { login } = await withUser(t);
  for (const email of ["ann@acme.example", "nobody@acme.example"]) {
    const tries = await Promise.all(Array.from({ length: 12 }, (_, n) => login(email, `guess number ${n}`)));
    assert.deepEqual(tries.map(({ status }) => status).sort(), [...Array(5).fill(401), ...Array(7).fill(429)], "many at once are not one");
    const told = await until(async () => {
      const answer = (await login(email)) as unknown as { status: number; headers: Record<string, string> };
      return answer.status === 429 && answer.headers["retry-after"];
    });
    assert.match(told as string, /^\d{1,3}$/);
  }
  await until(async () => (await login("ann@acme.example")).status === 200);
});

test("a refresh token that comes twice ends the session, for whoever has it", async (t) => {
  const { login, post, get } = await withUser(t);
  const { json: first } = await login("ann@acme.example");
  const next = async (refreshToken: string) =>
    (await post("auth/refresh", { refreshToken })) as unknown as { status: number; json: Granted };
  const { json: second } = await next(first.refreshToken);
  const { json: third } = await next(second.refreshToken);
  assert.deepEqual(codeOf((await next(first.refreshToken)) as never), [401, "SESSION_ENDED"]);
  assert.deepEqual(codeOf((await next(third.refreshToken)) as never), [401, "REFRESH_INVALID"]);
  await until(async () => (await get("auth/sessions", third.accessToken)).json.code === "SESSION_ENDED");
  for (const refreshToken of ["", "ann", `ann.${"a".repeat(36)}.${"b".repeat(43)}`, `nobody.x.${"b".repeat(43)}`]) {
    assert.ok([401, 422].includes((await next(refreshToken)).status));
  }
});

test("of many who bring one refresh token at once, one token counts in the end or none", async (t) => {
  const { login, post, get } = await withUser(t);
  const { json } = await login("ann@acme.example");
  const answers = await Promise.all(Array.from({ length: 8 }, () => post("auth/refresh", { refreshToken: json.refreshToken })));
  const granted = answers.filter(({ status }) => status === 200).map((answer) => answer.json.refreshToken as string);
  assert.ok(granted.length <= 2);
  const after = await Promise.all(granted.map((refreshToken) => post("auth/refresh", { refreshToken })));
  assert.ok(after.filter(({ status }) => status === 200).length <= 1);
  await until(async () => [200, 401].includes((await get("auth/sessions", json.accessToken)).status));
});

test("codes of a second factor are counted for themselves, however right the password beside them is", async (t) => {
  const { login, post } = await withUser(t);
  const { json } = await login("ann@acme.example");
  await post("auth/second-factor", { password: PASSWORD }, json.accessToken);
  const guess = async () => codeOf(await post("auth/second-factor/confirm", { code: "000000" }, json.accessToken))[1];
  const told = await Promise.all(Array.from({ length: 8 }, guess));
  assert.ok(told.includes("LOGIN_SLOWED"), told.join());
});

test("a second factor is asked for once it was confirmed; each code counts once, a recovery code as well", async (t) => {
  const { login, post } = await withUser(t);
  const { json } = await login("ann@acme.example");
  assert.deepEqual(codeOf(await post("auth/second-factor", { password: "not this one" }, json.accessToken)), [403, "PASSWORD_WRONG"]);
  const { json: begun } = await post("auth/second-factor", { password: PASSWORD }, json.accessToken);
  assert.match(String(begun.url), /^otpauth:\/\/totp\//);
  assert.equal((await login("ann@acme.example")).status, 200, "it is not confirmed yet");
  const code = codeFor(begun.secret as string);
  const { json: confirmed } = await post("auth/second-factor/confirm", { code }, json.accessToken);
  const [recovery] = confirmed.recovery as string[];
  assert.deepEqual(codeOf(await login("ann@acme.example")), [401, "CODE_REQUIRED"]);
  assert.deepEqual(codeOf(await login("ann@acme.example", PASSWORD, code)), [401, "CODE_WRONG"], "it confirmed, and counts once");
  assert.equal((await login("ann@acme.example", PASSWORD, recovery)).status, 200);
  assert.deepEqual(codeOf(await login("ann@acme.example", PASSWORD, recovery)), [401, "CODE_WRONG"]);
});

/** What an authenticator shows now. */
const codeFor = (secret: string): string => {
  for (let n = 0; n < 1_000_000; n++) {
    const code = String(n).padStart(6, "0");
    if (totpStep(secret, code, Date.now(), -1) !== undefined) return code;
  }
  throw new Error(`There is no code of ${secret}, and of none like ${newTotpSecret()}`);
};

test("signing keys change while everybody works, and no token is refused for it", async (t) => {
  const { login, post, get, admin } = await withUser(t);
  let { json: tokens } = await login("ann@acme.example");
  let going = true;
  const work = async () => {
    for (let n = 0; going; n++) {
      if (n % 10 === 9) tokens = (await post("auth/refresh", { refreshToken: tokens.refreshToken })).json as never;
      const { status, text } = await get("customers", tokens.accessToken);
      assert.equal(status, 200, text);
    }
  };
  const working = work();
  const kids = await Promise.all(
    Array.from({ length: 3 }, async () => (await post("auth/signing-keys/rotate", {}, admin)).json.kids as string[]),
  );
  going = false;
  await working;
  assert.ok(Math.max(...kids.map((names) => names.length)) >= 4);
});

test("a machine works by a key of its user's, with the roles that both have, until it is taken back or rotated", async (t) => {
  const { login, post, get, url, admin } = await withUser(t, ["reader", "trader"]);
  const { json } = await login("ann@acme.example");
  const token = json.accessToken;
  const own = { password: PASSWORD };
  assert.deepEqual(codeOf(await post("auth/keys", { ...own, name: "robot", roles: ["admin"] }, token)), [403, "NOT_ALLOWED"]);
  const { json: made, status } = await post("auth/keys", { ...own, name: "robot", roles: ["trader"], days: 1 }, token);
  assert.equal(status, 201);
  const key = made.key as string;
  assert.match(key, /^banyan_ann\./);
  assert.equal((await post("customers", { name: "Acme" }, key)).status, 201);
  assert.deepEqual(codeOf(await get("auth/keys", key)), [403, "NOT_ALLOWED"], "it makes no keys, and reads none");
  const { json: listed } = await get("auth/keys", token);
  const [one] = listed.items as Record<string, string>[];
  assert.ok(one!.seen && !JSON.stringify(listed).includes(key.split(".")[2]!), "its use is seen, its secret is not");
  const { json: rotated } = await post(`auth/keys/${made.id}/rotate`, own, token);
  for (const either of [key, rotated.key as string]) assert.equal((await get("customers", either)).status, 200);
  await ask(`${url}/api/v1/users/ann`, {
    method: "PATCH",
    body: { roles: ["reader"] },
    headers: { authorization: `Bearer ${admin}`, "If-Match": "*" },
  });
  await until(async () => (await get("customers", rotated.key as string)).json.code === "NOT_ALLOWED");
  const { json: next } = await post("auth/refresh", { refreshToken: json.refreshToken });
  assert.equal(
    (await ask(`${url}/api/v1/auth/keys/${made.id}`, { method: "DELETE", headers: { authorization: `Bearer ${next.accessToken}` } }))
      .status,
    200,
  );
  await until(async () => (await get("customers", rotated.key as string)).json.code === "API_KEY_INVALID");
  for (const none of ["banyan_", `banyan_ann.${made.id}.${"a".repeat(43)}`, "banyan_nobody.x.y", `banyan_${"a".repeat(500)}`]) {
    assert.equal((await get("customers", none)).status, 401, none);
  }
});

test("an operator of the host has a token without a password, of the time and roles that he names, and no other", async (t) => {
  const { env, get } = await withUser(t);
  const token = async (...args: string[]) => run(["mixins/trust/token.command.ts", ...args], env);
  const { stdout } = await token("--user", "ops", "--role", "operator", "--ttl", "30s");
  const claims = JSON.parse(Buffer.from(stdout.split(".")[1]!, "base64url").toString());
  assert.deepEqual([claims.sub, claims.roles, Math.round(claims.exp - claims.iat)], ["ops", ["operator"], 30]);
  assert.deepEqual(codeOf(await get("users", stdout.trim())), [403, "NOT_ALLOWED"]);
  assert.equal((await get("users", (await token()).stdout.trim())).status, 200);
  for (const wrong of [["--ttl", "2d"], ["--ttl", "soon"], ["--role", "king"], ["--user", "a b"], ["--what"]]) {
    const { code, stderr } = await token(...wrong);
    assert.equal(code, 2);
    assert.match(stderr, /ttl|role|user|what/);
  }
});

test("without a key of its own, a process alone makes one that nobody else may read, and goes on with it", {
  skip: process.env.MONGO_URL !== undefined && "a cluster's nodes are given theirs",
}, async (t) => {
  const env = { DATA_DIR: folder(t), MASTER_KEY: "", ISSUER: "" };
  const system = await startSystem(t, env, ROOMS);
  const file = join(env.DATA_DIR, "keys", "master.key");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { stdout } = await run(["mixins/trust/token.command.ts"], env);
  assert.equal((await client(system).get("users", stdout.trim())).status, 200);
  const key = readFileSync(file, "utf8");
  await system.stop();
  chmodSync(file, 0o644);
  const again = await startSystem(t, env, ROOMS);
  assert.deepEqual([statSync(file).mode & 0o777, readFileSync(file, "utf8")], [0o600, key]);
  assert.equal((await client(again).get("users", stdout.trim())).status, 200);
});
