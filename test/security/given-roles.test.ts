import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { codeOf, PASSWORD } from "../support/clients.ts";
import { bearer } from "../support/credentials.ts";
import { until } from "../support/other-node.ts";
import { Scene } from "./scene.ts";

/** Whoever looks after users, or their logins, and is no administrator: he must not become one by it, nor get at anybody who may more. */
const token = async (id: string, roles: string[]) => (await bearer(id, roles)).slice("Bearer ".length);

const start = async (t: TestContext) => {
  const scene = new Scene();
  await scene.start();
  t.after(() => scene.end());
  const admin = await token("root", ["admin"]);
  const made = await scene.post("policies", { id: "personnel", grants: ["users.*", "auth.manage", "customers.read"] }, admin);
  assert.equal(made.status, 201, made.text);
  const personnel = await token("pat", ["personnel", "reader"]);
  await until(async () => (await scene.get("users", personnel)).status === 200);
  const create = (id: string, more: object, by = admin) => scene.post("users", { id, name: id, email: `${id}@acme.example`, ...more }, by);
  const patch = (id: string, body: object, by = personnel) =>
    scene.api(`users/${id}`, { method: "PATCH", body, headers: scene.by(by, { "If-Match": "*" }) });
  const remove = (id: string, by = personnel) => scene.api(`users/${id}`, { method: "DELETE", headers: scene.by(by) });
  assert.equal((await create("pat", { roles: ["personnel", "reader"] })).status, 201);
  return { scene, admin, personnel, create, patch, remove };
};
const REFUSED = [403, "NOT_ALLOWED"];

test("nobody gives or takes a role that he has not himself, and nobody changes whoever has one", async (t) => {
  const { scene, admin, personnel, create, patch, remove } = await start(t);
  assert.equal((await create("rita", { roles: ["reader"] }, personnel)).status, 201);
  assert.deepEqual(codeOf(await create("eva", { roles: ["reader", "admin"] }, personnel)), REFUSED);
  assert.deepEqual(codeOf(await patch("pat", { roles: ["personnel", "reader", "admin"] })), REFUSED, "his own");
  assert.deepEqual(codeOf(await patch("rita", { roles: ["trader"] })), REFUSED);
  assert.equal((await patch("rita", { name: "Rita", roles: [] })).status, 200);
  assert.equal((await patch("rita", { roles: ["reader"] })).status, 200);
  for (const change of [{ email: "mine@acme.example" }, { status: "disabled" }, { roles: [] }, { teams: ["eu"] }])
    assert.deepEqual(codeOf(await patch("ann", change)), REFUSED, JSON.stringify(change));
  assert.deepEqual(codeOf(await remove("ann")), REFUSED);
  assert.deepEqual(codeOf(await scene.post("users/ann/erase", {}, personnel)), REFUSED);
  const ann = (await scene.get("users/ann", admin)).json;
  assert.deepEqual([ann.email, ann.roles, ann.status, ann.version], ["ann@acme.example", ["trader"], "active", 1]);
  assert.equal((await scene.get("users/me/export", scene.ann)).status, 200);
  assert.equal((await patch("ann", { roles: ["bookkeeper"] }, admin)).status, 200, "an administrator gives any");
  assert.equal((await remove("rita")).status, 200);
});

test("everybody still sets what he likes himself, whatever roles he has been given since", async (t) => {
  const { scene, admin, patch } = await start(t);
  assert.equal((await patch("bob", { teams: ["eu"] }, admin)).status, 200);
  const stale = await token("bob", []);
  const preferred = await scene.api("users/me/preferences", { method: "PUT", body: { language: "de" }, headers: scene.by(stale) });
  assert.equal(preferred.status, 200, preferred.text);
});

test("who looks after logins gets at nobody who may more than he", async (t) => {
  const { scene, admin, personnel, create } = await start(t);
  await create("root", { roles: ["admin"] });
  const hash = "$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
  for (const [path, body] of [
    ["link", {}],
    ["hash", { hash }],
    ["second-factor/end", {}],
    ["identities/end", {}],
  ] as const) {
    for (const user of ["administrator", "root", "ann"])
      assert.deepEqual(codeOf(await scene.post(`auth/users/${user}/${path}`, body, personnel)), REFUSED, `${user} ${path}`);
    await create(`r-${path.length}`, { roles: ["reader"] });
    const { status, text } = await scene.post(`auth/users/r-${path.length}/${path}`, body, personnel);
    assert.equal(status, 200, `${path} ${text}`);
  }
  assert.equal((await scene.post("auth/users/ann/end-sessions", {}, personnel)).status, 200, "ending sessions gives nobody anything");
  assert.equal((await scene.post("auth/users/ann/link", {}, admin)).status, 200);
});

test("the last active administrator is neither removed, disabled, erased nor made another one", async (t) => {
  const { scene, admin, create, patch, remove } = await start(t);
  const taken = [409, "LAST_ADMINISTRATOR"];
  const refused = async (id: string) => {
    for (const change of [{ status: "disabled" }, { roles: [] }, { roles: null }, { roles: ["reader"] }])
      assert.deepEqual(codeOf(await patch(id, change, admin)), taken, JSON.stringify(change));
    assert.deepEqual(codeOf(await remove(id, admin)), taken);
    assert.deepEqual(codeOf(await scene.post(`users/${id}/erase`, {}, admin)), taken);
  };
  await refused("administrator");
  await create("sleeping", { roles: ["admin"], status: "disabled" });
  await refused("administrator");
  assert.equal((await patch("administrator", { name: "The Administrator" }, admin)).status, 200);
  await create("second", { roles: ["admin"], email: "second@acme.example" });
  assert.equal((await patch("administrator", { roles: ["reader"] }, admin)).status, 200);
  await refused("second");
  assert.equal((await remove("sleeping", admin)).status, 200);
});

test("who has more roles and teams than a token holds is not saved, rather than let in and then refused", async (t) => {
  const { scene, admin, create, patch } = await start(t);
  const teams = (n: number) => Array.from({ length: n }, (_, i) => `${i}-`.padEnd(64, "t"));
  const refused = await create("many", { roles: ["trader"], teams: teams(50) });
  assert.deepEqual(codeOf(refused), [422, "VALIDATION_ERROR"]);
  assert.match(refused.text, /"teams"/);
  assert.deepEqual(codeOf(await patch("ann", { teams: teams(40) }, admin)), [422, "VALIDATION_ERROR"]);
  assert.equal((await patch("ann", { teams: teams(29) }, admin)).status, 200);
  assert.equal((await patch("ann", { name: "Ann" }, admin)).status, 200);
  const { json } = await scene.login("ann@acme.example");
  assert.ok((json.accessToken as string).length < 3_500, `${(json.accessToken as string).length}`);
  assert.equal((await scene.get("customers", json.accessToken as string)).status, 200);
});

test("a link for a password ends with the sessions, and with its user", async (t) => {
  const { scene, admin, patch, create } = await start(t);
  const invited = async (id: string) => (await scene.post(`auth/users/${id}/link`, {}, admin)).json.link as string;
  const redeem = async (link: string) => codeOf(await scene.post("auth/redeem", { link, password: PASSWORD }));
  const first = await invited("eve");
  await scene.post("auth/users/eve/end-sessions", {}, admin);
  assert.deepEqual(await redeem(first), [410, "LINK_INVALID"]);
  const second = await invited("bob");
  await patch("bob", { status: "disabled" }, admin);
  await until(async () => (await scene.get("auth/sessions", scene.bob)).status === 401);
  await patch("bob", { status: "active" }, admin);
  assert.deepEqual(await redeem(second), [410, "LINK_INVALID"]);
  await create("new", { roles: ["reader"] });
  assert.deepEqual((await redeem(await invited("new")))[0], 200, "his own first event ends nothing");
});
