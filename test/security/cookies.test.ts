import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { client, codeOf, PASSWORD, withUser } from "../support/clients.ts";
import { bearer } from "../support/credentials.ts";
import { type Asked, ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder } from "../support/system.ts";

/** What a browser keeps of a site, and sends along. */
class Jar {
  readonly cookies = new Map<string, string>();
  readonly seen: string[] = [];

  take(headers: Record<string, string | string[] | undefined>) {
    for (const line of [headers["set-cookie"] ?? []].flat()) {
      this.seen.push(line);
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (/Max-Age=0/.test(line)) this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
  }

  get header() {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  get proof() {
    return this.cookies.get("__Host-banyan-csrf")!;
  }
}

/** Ann in a browser. */
const browser = async (t: TestContext) => {
  const { url, system, admin } = await withUser(t);
  const jar = new Jar();
  const send = async (path: string, { headers = {}, ...asked }: Asked = {}) => {
    const answer = await ask(`${url}/api/v1/${path}`, { ...asked, headers: { authorization: undefined, cookie: jar.header, ...headers } });
    jar.take(answer.headers as never);
    return answer;
  };
  const post = (path: string, body: object, headers: Record<string, string | undefined> = { "X-CSRF-Token": jar.proof }) =>
    send(path, { method: "POST", body, headers });
  const login = await post("auth/login", { email: "ann@acme.example", password: PASSWORD, cookies: true }, {});
  assert.equal(login.status, 200, login.text);
  return { jar, send, post, login, system, admin, url };
};

test("whoever logs in with cookies is shown no token, and the browser none of its scripts", async (t) => {
  const { jar, send, login } = await browser(t);
  assert.deepEqual(Object.keys(login.json).sort(), ["csrfToken", "expiresIn", "user"]);
  assert.equal(login.json.csrfToken, jar.proof);
  assert.equal(jar.seen.length, 3);
  for (const line of jar.seen) {
    assert.match(line, /^__Host-banyan-\w+=.*; Path=\/; Secure; (HttpOnly; )?SameSite=Strict; Max-Age=\d+$/);
    assert.equal(line.includes("HttpOnly"), !line.startsWith("__Host-banyan-csrf"), line);
  }
  assert.equal((await send("customers")).status, 200);
});

test("a change takes what only a page of ours can read: without it, with another's, or with a guess nothing is changed", async (t) => {
  const { jar, post, send } = await browser(t);
  const customer = (id: string) => ({ id, name: "Acme" });
  assert.equal((await post("customers", customer("good"))).status, 201);
  for (const proof of [undefined, "", "x", jar.proof.slice(1), `${jar.proof}x`, jar.proof.toLowerCase()]) {
    assert.deepEqual(codeOf(await post("customers", customer("bad"), { "X-CSRF-Token": proof })), [403, "CSRF_REFUSED"]);
  }
  const twice = `${jar.header}; __Host-banyan-refresh=ann.x.y`;
  assert.deepEqual(codeOf(await post("customers", customer("bad"), { cookie: twice, "X-CSRF-Token": jar.proof })), [403, "CSRF_REFUSED"]);
  const doubled = `${jar.header}; __Host-banyan-access=eyJ.e30.x`;
  assert.deepEqual(codeOf(await send("customers", { headers: { cookie: doubled } })), [401, "LOGIN_REQUIRED"]);
  assert.equal((await send("customers/bad")).status, 404);
});

test("a login in cookies goes on and ends in cookies", async (t) => {
  const { jar, post, send } = await browser(t);
  const [first, stolen] = [jar.header, jar.cookies.get("__Host-banyan-refresh")!];
  assert.deepEqual(codeOf(await post("auth/refresh", {}, {})), [403, "CSRF_REFUSED"]);
  const again = await post("auth/refresh", {});
  assert.equal(again.status, 200, again.text);
  assert.deepEqual(Object.keys(again.json).sort(), ["csrfToken", "expiresIn", "user"]);
  assert.notEqual(jar.cookies.get("__Host-banyan-refresh"), stolen);
  assert.equal((await post("customers", { name: "Acme" })).status, 201);
  assert.equal((await post("auth/logout", {})).status, 200);
  assert.equal(jar.cookies.size, 0);
  assert.deepEqual(codeOf(await send("customers")), [401, "LOGIN_REQUIRED"]);
  await until(async () => (await send("customers", { headers: { cookie: first } })).status === 401);
});

test("a logout that names another session by its header leaves the browser's own login as it is", async (t) => {
  const { jar, post, send, url } = await browser(t);
  const other = await ask(`${url}/api/v1/auth/login`, {
    method: "POST",
    body: { email: "ann@acme.example", password: PASSWORD },
    headers: { authorization: undefined },
  });
  const authorization = `Bearer ${other.json.accessToken}`;
  assert.equal((await post("auth/logout", {}, { authorization })).status, 200);
  assert.equal(jar.cookies.size, 3);
  assert.equal((await send("customers")).status, 200);
});

test("a header that names a user goes before the cookies, and what says nothing of a login is none", async (t) => {
  const { send, jar } = await browser(t);
  const authorization = await bearer("root");
  assert.equal((await send("users", { headers: { authorization } })).status, 200);
  assert.deepEqual(codeOf(await send("users")), [403, "NOT_ALLOWED"]);
  assert.deepEqual(codeOf(await send("customers", { headers: { authorization: "Bearer x.y.z" } })), [401, "TOKEN_INVALID"]);
  for (const cookie of ["", ";;;", "a", "=", "__Host-banyan-access", "__Host-banyan-access=", `x${jar.header.slice(0, 200)}`]) {
    assert.deepEqual(codeOf(await send("customers", { headers: { cookie } })), [401, "LOGIN_REQUIRED"], cookie);
  }
});

test("what one user, one key and one address may ask is counted apart, and none is another's", async (t) => {
  const { system, post, admin, login } = await withUser(t);
  const keyed = await login("ann@acme.example");
  const { json } = await post("auth/keys", { password: PASSWORD, name: "slow", roles: ["trader"], rate: 1 }, keyed.json.accessToken);
  const { get } = client(system);
  assert.equal(json.rate, 1);
  const key = json.key as string;
  const asked = await Promise.all(Array.from({ length: 12 }, () => get("customers", key)));
  assert.ok(asked.some(({ status }) => status === 200) && asked.some(({ status }) => status === 429));
  const refused = asked.find(({ status }) => status === 429)!;
  assert.equal(refused.json.code, "RATE_LIMITED");
  assert.match(String(refused.json.detail), /^This key may ask 1 times a second/);
  assert.match(String(refused.headers["retry-after"]), /^\d+$/);
  assert.equal((await get("customers", keyed.json.accessToken)).status, 200, "its user goes on");
  assert.equal((await get("customers", admin)).status, 200);
});

test("a user is let through so often a second, and another one as often beside him", async (t) => {
  const { system, login, admin } = await withUser(t, ["trader"], { DATA_DIR: folder(t), USER_RATE_LIMIT: "2" });
  const { json } = await login("ann@acme.example");
  const { get } = client(system);
  const asked = await Promise.all(Array.from({ length: 12 }, () => get("customers", json.accessToken)));
  assert.ok(asked.some(({ status }) => status === 200) && asked.some(({ status }) => status === 429));
  assert.match(String(asked.find(({ status }) => status === 429)!.json.detail), /^This user may ask 2 times a second/);
  assert.equal((await get("customers", admin)).status, 200);
});

test("a user who has had his day's requests is refused wherever he asks from, and others are not", async (t) => {
  const { system, post, login, admin } = await withUser(t, ["trader"], { DATA_DIR: folder(t), USER_DAILY_QUOTA: "5" });
  const { json } = await login("ann@acme.example");
  const { get } = client(system);
  const statuses = [];
  for (let n = 0; n < 8; n++) statuses.push((await get("customers", json.accessToken)).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
  assert.equal((await get("customers", admin)).status, 200);
  const refused = await get("customers", json.accessToken);
  assert.match(String(refused.json.detail), /^This user may ask 5 times a day/);
  assert.equal((await post("auth/logout", {}, json.accessToken)).status, 200, "whoever uses it up in his name can be stopped");
});

test("every answer says that it is not to be framed, sniffed or told where it leads", async (t) => {
  const { get, url, admin } = await withUser(t);
  for (const answer of [await get("customers", admin), await get("customers"), await get("nothing"), await ask(`${url}/docs`)]) {
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
    assert.equal(answer.headers["x-frame-options"], "DENY");
    assert.equal(answer.headers["referrer-policy"], "no-referrer");
    assert.match(String(answer.headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/);
  }
});
