import assert from "node:assert/strict";
import { test } from "node:test";
import { client, codeOf, PASSWORD, ROOMS, withUser } from "../support/clients.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { run, startSystem } from "../support/system.ts";

test("a logout, a new password and an administrator end sessions at every door within a second", async (t) => {
  const { env, login, post, get, admin } = await withUser(t);
  const other = client(await startSystem(t, env, ROOMS));
  const ways: [string, (token: string) => Promise<{ status: number; text: string }>][] = [
    ["logout", (token) => post("auth/logout", {}, token)],
    ["password", (token) => post("auth/password", { current: PASSWORD, password: `${PASSWORD}!` }, token)],
    ["administrator", () => post("auth/users/ann/end-sessions", {}, admin)],
    [
      "disabled",
      async () => ask(`${other.url}/api/v1/users/ann`, { method: "PATCH", body: { status: "disabled" }, headers: { "If-Match": "*" } }),
    ],
  ];
  let password = PASSWORD;
  for (const [how, end] of ways) {
    const { json } = await login("ann@acme.example", password);
    assert.equal((await other.get("auth/sessions", json.accessToken)).status, 200, how);
    const { status, text } = await end(json.accessToken);
    assert.equal(status, 200, `${how}: ${text}`);
    if (how === "password") password = `${PASSWORD}!`;
    for (const door of [other.get, get])
      await until(async () => (await door("auth/sessions", json.accessToken)).json.code === "SESSION_ENDED");
    assert.ok([401].includes((await post("auth/refresh", { refreshToken: json.refreshToken })).status), how);
  }
  assert.deepEqual(codeOf(await login("ann@acme.example", password)), [401, "LOGIN_FAILED"], "he is disabled");
});

test("all sessions end, whatever is made of them at the same moment: a refresh, a login that takes its time", async (t) => {
  const { url, login, post, get, admin } = await withUser(t);
  for (let round = 0; round < 6; round++) {
    const { json } = await login("ann@acme.example");
    let [last, refreshing] = [json, true];
    const loop = (async () => {
      while (refreshing) {
        const answer = await post("auth/refresh", { refreshToken: last.refreshToken });
        if (answer.status !== 200) return;
        last = answer.json as never;
      }
    })();
    await post("auth/users/ann/end-sessions", {}, admin);
    refreshing = false;
    await loop;
    await until(async () => (await get("auth/sessions", last.accessToken)).json.code === "SESSION_ENDED");
    assert.equal((await post("auth/refresh", { refreshToken: last.refreshToken })).status, 401);
  }
  const busy = Array.from({ length: 20 }, (_, n) => login(`nobody${n}@acme.example`));
  const late = login("ann@acme.example");
  const patched = await ask(`${url}/api/v1/users/ann`, { method: "PATCH", body: { status: "disabled" }, headers: { "If-Match": "*" } });
  assert.equal(patched.status, 200);
  const { status, json } = await late;
  await Promise.all(busy);
  if (status === 200) await until(async () => (await get("auth/sessions", json.accessToken)).json.code === "SESSION_ENDED");
  else assert.equal(status, 401);
});

test("a door that has just opened does not let in whoever has logged out", async (t) => {
  const { system, env, login, post } = await withUser(t);
  const { json } = await login("ann@acme.example");
  assert.equal((await post("auth/logout", {}, json.accessToken)).status, 200);
  await system.stop("SIGKILL");
  const again = client(await startSystem(t, env, ROOMS));
  assert.deepEqual(codeOf(await again.get("auth/sessions", json.accessToken)), [401, "SESSION_ENDED"]);
});

test("who gets other roles has them with his next token, and those that he had are over", async (t) => {
  const { login, post, get, admin, system } = await withUser(t, ["reader"]);
  const { json } = await login("ann@acme.example");
  const headers = { authorization: `Bearer ${admin}`, "If-Match": "*" };
  await ask(`${system.url}/api/v1/users/ann`, { method: "PATCH", body: { roles: ["trader"] }, headers });
  await until(async () => (await get("auth/sessions", json.accessToken)).json.code === "SESSION_ENDED");
  const { json: next } = await post("auth/refresh", { refreshToken: json.refreshToken });
  assert.equal((await post("customers", { name: "Acme" }, next.accessToken as string)).status, 201);
});

test("an ended session is told to a door that was told last by a host whose clock is a minute ahead", async (t) => {
  const { env, login, post } = await withUser(t);
  const { json } = await login("ann@acme.example");
  assert.equal((await post("auth/logout", {}, json.accessToken)).status, 200);
  const { stdout } = await run(["mixins/runtime/repl.ts", "-c", `call v1.auth.revoked --since ${Date.now() + 60_000}`], env);
  assert.equal(JSON.parse(stdout).sessions.length, 1);
});
