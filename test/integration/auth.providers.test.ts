import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, codeShown, PASSWORD } from "../support/clients.ts";
import { ask } from "../support/http.ts";
import { visit } from "../support/openid.ts";
import { until } from "../support/other-node.ts";
import { PEOPLE, start } from "../support/providers.ts";

test("who has logged in at a provider that is trusted with addresses is in, as if by password, and is found by his identity from then on", async (t) => {
  const { byProvider, get, post, provider } = await start(t);
  assert.deepEqual((await get("auth/providers")).json, { items: [{ name: "acme" }] });
  const { status, json, text } = await byProvider("a-1");
  assert.equal(status, 200, text);
  assert.equal(json.user, "ann");
  assert.equal((await get("customers", json.accessToken as string)).status, 200);
  assert.equal((await post("auth/refresh", { refreshToken: json.refreshToken })).status, 200);
  const { items } = (await get("auth/identities", json.accessToken as string)).json as { items: Record<string, string>[] };
  assert.deepEqual(
    items.map(({ provider: name, issuer }) => [name, issuer]),
    [["acme", provider.url]],
  );
  PEOPLE["a-1"] = { ...PEOPLE["a-1"], email: "other@acme.example" };
  t.after(() => {
    PEOPLE["a-1"] = { ...PEOPLE["a-1"], email: "Ann@acme.example" };
  });
  assert.equal((await byProvider("a-1")).json.user, "ann", "whatever her address is by now");
});

test("a login at a provider may go into the browser's cookies, as one by password", async (t) => {
  const { begin, finish, provider } = await start(t);
  provider.at.person = "a-1";
  const { url, binding } = await begin();
  const { json, headers } = await finish({ ...(await visit(url)), binding, cookies: true });
  assert.deepEqual([json.user, json.accessToken, json.refreshToken, typeof json.csrfToken], ["ann", undefined, undefined, "string"]);
  assert.ok(headers["set-cookie"]!.every((cookie) => /; Path=.*SameSite=/.test(cookie)));
});

test("who is known at the provider and not here stays outside, and so does who is not linked where addresses are not trusted", async (t) => {
  const { byProvider, get, admin } = await start(t, {});
  for (const person of ["a-1", "n-1"]) assert.deepEqual(codeOf(await byProvider(person)), [403, "PROVIDER_USER_UNKNOWN"], person);
  const { items } = (await get("users", admin)).json as { items: { id: string }[] };
  assert.deepEqual(items.map(({ id }) => id).sort(), ["administrator", "ann"], "nobody was made");
});

test("an address that the provider has not verified, or that only looks like somebody's, is nobody's", async (t) => {
  const { byProvider } = await start(t, { linkByEmail: true, createWith: ["reader"] });
  for (const person of ["a-2", "a-4"]) assert.deepEqual(codeOf(await byProvider(person)), [403, "EMAIL_UNVERIFIED"], person);
});

test("who has somebody's address at the provider after her is not her", async (t) => {
  const { byProvider } = await start(t);
  assert.equal((await byProvider("a-1")).status, 200);
  assert.deepEqual(codeOf(await byProvider("a-3")), [409, "IDENTITY_TAKEN"]);
});

test("where it is configured a user is made of whoever logs in, with these roles, of these domains, once, and not again when he was removed", async (t) => {
  const { byProvider, get, post, admin, url } = await start(t, { createWith: ["reader"], domains: ["acme.example"] });
  const { json, text } = await byProvider("n-1");
  assert.ok(json.user, text);
  const made = await get(`users/${json.user}`, admin);
  assert.deepEqual([made.json.name, made.json.email, made.json.roles], ["New", "new@acme.example", ["reader"]]);
  assert.equal((await byProvider("n-1")).json.user, json.user);
  assert.deepEqual(codeOf(await byProvider("o-1")), [403, "PROVIDER_USER_UNKNOWN"], "another domain");
  assert.deepEqual(codeOf(await byProvider("a-1")), [403, "PROVIDER_USER_UNKNOWN"], "the address is a user's already, and is not trusted");
  const token = json.accessToken as string;
  const { items } = (await get("auth/identities", token)).json as { items: { id: string }[] };
  const remove = (id: string) =>
    ask(`${url}/api/v1/auth/identities/${id}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual(codeOf(await remove(items[0]!.id)), [409, "IDENTITY_LAST"]);
  assert.deepEqual(codeOf(await remove("0".repeat(64))), [404, "IDENTITY_NOT_FOUND"]);
  assert.deepEqual(codeOf(await post("auth/password", { current: "x", password: PASSWORD }, token)), [403, "PASSWORD_WRONG"]);
  await ask(`${url}/api/v1/users/${json.user}`, { method: "DELETE" });
  await until(async () => (await get("auth/sessions", token)).status === 401);
  assert.deepEqual(codeOf(await byProvider("n-1")), [403, "PROVIDER_USER_UNKNOWN"]);
});

test("an identity that was taken back logs nobody in, however its user was made or found, until he links it himself", async (t) => {
  for (const [how, person] of [
    [{ createWith: ["reader"] }, "n-1"],
    [{ linkByEmail: true }, "a-1"],
  ] as const) {
    const { byProvider, post, admin, begin, provider, login } = await start(t, how as never);
    const { json } = await byProvider(person);
    assert.deepEqual((await post(`auth/users/${json.user}/identities/end`, {}, admin)).json, { ended: 1 });
    assert.deepEqual(codeOf(await byProvider(person)), [403, "PROVIDER_USER_UNKNOWN"], person);
    assert.deepEqual(codeOf(await byProvider(person)), [403, "PROVIDER_USER_UNKNOWN"], person);
    const { json: invited } = await post(`auth/users/${json.user}/link`, {}, admin);
    const { json: redeemed } = await post("auth/redeem", { link: invited.link, password: PASSWORD });
    const { accessToken } = (await login(redeemed.email as string)).json;
    provider.at.person = person;
    const { url, binding } = await begin();
    const linked = await post("auth/providers/acme/link", { ...(await visit(url)), binding, password: PASSWORD }, accessToken);
    assert.equal(linked.status, 200, linked.text);
    assert.equal((await byProvider(person)).json.user, json.user);
  }
});

test("who is disabled does not get in, and who has other roles gets other tokens, also without any password", async (t) => {
  const { byProvider, get, url } = await start(t, { createWith: ["reader"] });
  const { json } = await byProvider("n-1");
  const change = (body: object) => ask(`${url}/api/v1/users/${json.user}`, { method: "PATCH", body, headers: { "If-Match": "*" } });
  assert.equal((await change({ roles: ["trader"] })).status, 200);
  await until(async () => (await get("auth/sessions", json.accessToken as string)).json.code === "SESSION_ENDED");
  const again = await byProvider("n-1");
  assert.equal((await change({ status: "disabled" })).status, 200);
  await until(async () => (await get("auth/sessions", again.json.accessToken as string)).json.code === "SESSION_ENDED");
  assert.deepEqual(codeOf(await byProvider("n-1")), [403, "PROVIDER_USER_UNKNOWN"]);
});

test("a second factor is asked for as well, and its ticket is this browser's and counts once", async (t) => {
  const { byProvider, login, post, begin, finish, provider } = await start(t);
  const { json } = await login("ann@acme.example");
  const { secret } = (await post("auth/second-factor", { password: PASSWORD }, json.accessToken)).json as { secret: string };
  const confirmed = await post("auth/second-factor/confirm", { code: codeShown(secret) }, json.accessToken);
  const [first, second, third] = confirmed.json.recovery as string[];
  const asked = await byProvider("a-1");
  assert.deepEqual(codeOf(asked), [401, "CODE_REQUIRED"]);
  provider.at.person = "a-1";
  const { url, state, binding } = await begin();
  const { json: problem } = await finish({ ...(await visit(url)), binding });
  const { ticket } = problem.data as { ticket: string };
  const confirm = (body: object) => post("auth/providers/acme/confirm", { ticket, binding, code: first, ...body });
  assert.deepEqual(codeOf(await confirm({ code: "000000" })), [401, "CODE_WRONG"]);
  assert.deepEqual(codeOf(await confirm({ binding: (await begin()).binding })), [401, "STATE_INVALID"]);
  assert.deepEqual(codeOf(await confirm({ ticket: state })), [401, "STATE_INVALID"], "a state is no ticket");
  const { status, text } = await confirm({});
  assert.equal(status, 200, text);
  assert.deepEqual(codeOf(await confirm({ code: second })), [401, "STATE_INVALID"], "it counts once");
  assert.equal((await login("ann@acme.example", PASSWORD, third)).status, 200);
});

test("what was begun before an administrator ended all sessions does not get in with its second factor", async (t) => {
  const { login, post, begin, finish, provider, admin } = await start(t);
  const { json } = await login("ann@acme.example");
  const { secret } = (await post("auth/second-factor", { password: PASSWORD }, json.accessToken)).json as { secret: string };
  const { json: confirmed } = await post("auth/second-factor/confirm", { code: codeShown(secret) }, json.accessToken);
  provider.at.person = "a-1";
  const { url, binding } = await begin();
  const { json: problem } = await finish({ ...(await visit(url)), binding });
  await post("auth/users/ann/end-sessions", {}, admin);
  const [code] = confirmed.recovery as string[];
  const ended = await post("auth/providers/acme/confirm", { ...(problem.data as object), binding, code });
  assert.deepEqual(codeOf(ended), [403, "PROVIDER_USER_UNKNOWN"]);
});

test("one links a provider to oneself with one's password, and takes it back; nobody links what is another's", async (t) => {
  const { byProvider, login, post, get, begin, provider, admin, url } = await start(t, {});
  const token = (await login("ann@acme.example")).json.accessToken;
  provider.at.person = "o-1";
  const link = async (password: string, by: string) => {
    const { url: address, binding } = await begin();
    return post("auth/providers/acme/link", { ...(await visit(address)), binding, password }, by);
  };
  assert.deepEqual(codeOf(await link("not this one", token)), [403, "PASSWORD_WRONG"], "a stolen token is not enough");
  const { status, json } = await link(PASSWORD, token);
  assert.equal(status, 200);
  assert.equal((await byProvider("o-1")).json.user, "ann");
  await post("users", { id: "bob", name: "Bob", email: "bob@acme.example" }, admin);
  const { json: invited } = await post("auth/users/bob/link", {}, admin);
  await post("auth/redeem", { link: invited.link, password: PASSWORD });
  const bob = (await login("bob@acme.example")).json.accessToken;
  assert.deepEqual(codeOf(await link(PASSWORD, bob)), [409, "IDENTITY_TAKEN"]);
  const remove = (by: string) =>
    ask(`${url}/api/v1/auth/identities/${json.id}`, { method: "DELETE", headers: { authorization: `Bearer ${by}` } });
  assert.deepEqual(codeOf(await remove(bob)), [404, "IDENTITY_NOT_FOUND"]);
  assert.equal((await remove(token)).status, 200);
  assert.deepEqual((await get("auth/identities", token)).json, { items: [] });
  assert.deepEqual(codeOf(await byProvider("o-1")), [403, "PROVIDER_USER_UNKNOWN"]);
  await link(PASSWORD, token);
  assert.deepEqual((await post("auth/users/ann/identities/end", {}, admin)).json, { ended: 1 });
  assert.deepEqual(codeOf(await byProvider("o-1")), [403, "PROVIDER_USER_UNKNOWN"]);
});
