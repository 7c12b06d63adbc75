import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bearer } from "../support/credentials.ts";
import type { Answer } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { Scene } from "./scene.ts";

/** Whose deals whoever sees (OWASP API1:2023, broken object level authorization): own, of one's teams, all. */
const scene = new Scene();
const token = async (id: string, roles: string[], teams: string[] = []) => (await bearer(id, roles, teams)).slice("Bearer ".length);
const lines = [{ product: "85123A", quantity: "1", rate: "2.55" }];
const body = (id: string) => ({ id, saleParty: "acme", currency: "GBP", lines });
let admin = "";
let [ann, bob, cid]: string[] = [];

before(async () => {
  await scene.start();
  admin = await token("root", ["admin"]);
  ann = await token("ann", ["sales"], ["eu"]);
  bob = await token("bob", ["sales"], ["eu", "uk"]);
  cid = await token("cid", ["seller"], ["uk"]);
  await scene.post("policies", { id: "sales", grants: ["deals.read:team", "deals.write:own", "deals.assign:own"] }, admin);
  await scene.post("policies", { id: "seller", grants: ["deals.read:own", "deals.write:own"] }, admin);
  await until(async () => (await scene.get("deals", cid)).status === 200);
});
after(() => scene.end());

const open = async (id: string, by: string | undefined, more: object = {}) => {
  const { status, text, json } = await scene.post("deals", { ...body(id), ...more }, by);
  assert.equal(status, 201, text);
  return json as { id: string; version: number; owner?: string; team?: string };
};
const listed = async (by: string | undefined, query = "") => {
  const { json, text, status } = await scene.get(`deals?limit=200${query}`, by);
  assert.equal(status, 200, text);
  return (json.items as { id: string }[]).map(({ id }) => id).sort();
};
const put = (path: string, body: object, by?: string) => scene.api(path, { method: "PUT", body, headers: scene.by(by) });
const code = ({ status, json }: Answer) => [status, json.code];

test("whoever opens a deal keeps it, for his team where he is in one", async () => {
  const deal = await open("of-ann", ann);
  assert.deepEqual([deal.owner, deal.team], ["ann", "eu"]);
  const ofTwo = await open("of-bob", bob);
  assert.deepEqual([ofTwo.owner, ofTwo.team], ["bob", undefined], "of two teams neither is meant unless it is said");
  await open("of-bob-eu", bob, { team: "eu" });
  await open("of-cid", cid);
  const seen = await open("of-root", admin, { owner: "nobody" });
  assert.equal(seen.owner, "nobody");
  for (const [by, ids] of [
    [ann, ["of-ann", "of-bob-eu"]],
    [bob, ["of-ann", "of-bob", "of-bob-eu", "of-cid"]],
    [cid, ["of-cid"]],
    [admin, ["of-ann", "of-bob", "of-bob-eu", "of-cid", "of-root"]],
  ] as const) {
    await until(async () => (await listed(by)).length === ids.length);
    assert.deepEqual(await listed(by), ids);
    for (const id of ["of-ann", "of-bob", "of-bob-eu", "of-cid", "of-root"]) {
      const reached = (ids as readonly string[]).includes(id);
      const { status } = await scene.get(`deals/${id}`, by);
      assert.equal(status, reached ? 200 : 404, id);
      assert.equal((await scene.get(`deals/${id}?at=2099-01-01T00:00:00Z`, by)).status, status);
      assert.equal((await scene.get(`deals/${id}/history`, by)).status, status);
    }
  }
});

test("what is out of reach is not there: no word of it differs from one of what never was, and nothing is done to it", async () => {
  const { version } = await open("guarded", ann);
  const asked: [string, (id: string) => Promise<Answer>][] = [
    ["get", (id) => scene.get(`deals/${id}`, cid)],
    ["at", (id) => scene.get(`deals/${id}?at=2099-01-01T00:00:00.000Z`, cid)],
    ["history", (id) => scene.get(`deals/${id}/history`, cid)],
    ["amend", (id) => scene.api(`deals/${id}`, { method: "PATCH", body: { country: "X" }, headers: scene.by(cid, { "If-Match": '"1"' }) })],
    [
      "amend, another version",
      (id) => scene.api(`deals/${id}`, { method: "PATCH", body: { country: "X" }, headers: scene.by(cid, { "If-Match": '"7"' }) }),
    ],
    ["note", (id) => scene.post(`deals/${id}/notes`, { text: "mine" }, cid)],
    ["source", (id) => scene.post(`deals/${id}/lines/1/sources`, { supplier: "s", quantity: "1", cost: "1" }, cid)],
    ["confirm", (id) => scene.post(`deals/${id}/confirm`, {}, cid)],
    ["cancel", (id) => scene.post(`deals/${id}/cancel`, { reason: "mine" }, cid)],
    ["fulfil", (id) => scene.post(`deals/${id}/fulfil`, {}, cid)],
    ["return", (id) => scene.post(`deals/${id}/returns`, { lines: [{ line: "1", quantity: "1" }] }, cid)],
  ];
  for (const [what, ask] of asked) {
    const [hidden, none] = [await ask("guarded"), await ask("nothing")];
    const say = ({ status, json }: Answer) => JSON.stringify([status, json.code, json.title, json.detail]).replaceAll("guarded", "nothing");
    assert.equal(say(hidden), say(none), what);
    assert.equal(hidden.status, what.startsWith("amend") ? 412 : 404, what);
  }
  assert.deepEqual(code(await scene.post("deals", body("guarded"), cid)), [403, "NOT_ALLOWED"], "nor is its id to be had");
  assert.deepEqual(code(await put("deals/guarded/keepers", { owner: "cid" }, cid)), [403, "NOT_ALLOWED"]);
  const { json } = await scene.get("deals/guarded", admin);
  assert.deepEqual([json.version, json.owner], [version, "ann"]);
});

test("a list that is to have seen a deal out of reach waits and says the same as for one that never was", async () => {
  await open("secret", ann);
  await open("known", cid);
  const asked = (seen: string) => scene.get(`deals?seen=${seen}`, cid);
  const [hidden, none] = await Promise.all([asked("secret@1"), asked("nothing@1")]);
  const say = ({ status, json }: Answer) => JSON.stringify([status, json.code, json.detail, json.data]).replaceAll("secret", "nothing");
  assert.equal(say(hidden), say(none));
  assert.deepEqual(code(hidden), [503, "VIEW_BEHIND"]);
  for (const version of [0, 9]) assert.equal(say(await asked(`secret@${version}`)), say(await asked(`nothing@${version}`)));
  assert.equal((await asked("known@1")).status, 200);
  assert.equal((await scene.get("deals?seen=secret@1", ann)).status, 200);
  assert.equal((await scene.get("deals?seen=secret@1", admin)).status, 200);
});

test("one sees what one's team keeps, and changes only one's own, where that is what the role has", async () => {
  const { version } = await open("shared", ann);
  assert.equal((await scene.get("deals/shared", bob)).status, 200);
  assert.deepEqual(code(await scene.post("deals/shared/notes", { text: "bob's" }, bob)), [404, "DEAL_NOT_FOUND"]);
  assert.deepEqual(code(await scene.post("deals", { ...body("gift"), owner: "bob", team: "uk" }, ann)), [403, "NOT_ALLOWED"]);
  assert.equal((await scene.get("deals/shared", ann)).json.version, version);
  assert.equal((await put("deals/shared/keepers", { owner: "bob", team: "uk" }, ann)).status, 200);
  assert.deepEqual(code(await scene.get("deals/shared", ann)), [404, "DEAL_NOT_FOUND"]);
  assert.equal((await scene.post("deals/shared/notes", { text: "bob's" }, bob)).status, 200);
  await until(async () => (await listed(bob, "&owner=bob")).includes("shared"));
  assert.deepEqual(await listed(cid, "&owner=bob"), [], "a filter shows no more than there is without it");
});

test("a list goes on page by page over several keepers, each deal once and in order", async () => {
  for (let n = 0; n < 12; n++) {
    const date = `2011-06-${String(1 + (n % 4)).padStart(2, "0")}`;
    await open(`page-${n}`, bob, { date, team: n % 2 ? "eu" : "uk", saleParty: "pages" });
  }
  await until(async () => (await listed(bob, "&party=pages")).length === 12);
  const whole = (await scene.get("deals?party=pages&limit=200", bob)).json.items as { id: string; date: string }[];
  for (const sort of ["date", "-date"]) {
    const ids: string[] = [];
    for (let next: string | undefined = ""; next !== undefined; ) {
      const { json, text }: Answer = await scene.get(`deals?party=pages&limit=5&sort=${sort}${next && `&after=${next}`}`, bob);
      assert.ok(json.items, text);
      ids.push(...(json.items as { id: string }[]).map(({ id }) => id));
      next = json.next as string | undefined;
    }
    const expected = whole.map(({ id }) => id);
    assert.deepEqual(ids, sort === "date" ? expected.reverse() : expected);
  }
  const { json } = await scene.get("deals?party=pages&limit=5", bob);
  assert.deepEqual(code(await scene.get(`deals?party=pages&limit=5&after=${json.next}`, ann)), [400, "CURSOR_INVALID"], "another's page");
});

test("a policy changes what a role may do within a second, is explained without being tried, and cannot shut everybody out", async () => {
  const dora = await token("dora", ["temp"]);
  assert.deepEqual(code(await scene.get("deals", dora)), [403, "NOT_ALLOWED"]);
  const check = async (asked: object) => (await scene.post("policies/check", asked, admin)).json as { allowed: boolean; because: string[] };
  assert.deepEqual(await check({ roles: ["temp"], action: "v1.deals.list" }), {
    allowed: false,
    permission: "deals.read",
    because: ["There is no role temp", "None of the roles has deals.read"],
  });
  const made = await scene.post("policies", { id: "temp", grants: ["deals.read:own"] }, admin);
  assert.equal(made.status, 201, made.text);
  await until(async () => (await scene.get("deals", dora)).status === 200);
  assert.equal((await check({ roles: ["temp"], action: "v1.deals.list" })).allowed, true);
  assert.equal((await check({ user: "ann", roles: ["temp"], action: "v1.deals.get", record: { owner: "ann" } })).allowed, true);
  assert.equal((await check({ user: "ann", roles: ["temp"], action: "v1.deals.get", record: { owner: "bob" } })).allowed, false);
  assert.equal((await check({ user: "ann", action: "v1.deals.list" })).allowed, true, "as she is: a trader");
  assert.equal((await check({ roles: ["admin"], action: "v1.auth.login" })).allowed, true);
  assert.deepEqual(code(await scene.post("policies/check", { roles: ["temp"], action: "v1.auth.readKey" }, admin)), [
    404,
    "ACTION_NOT_FOUND",
  ]);

  const headers = { "If-Match": '"1"' };
  const changed = await scene.api("policies/temp", { method: "PATCH", body: { grants: [] }, headers: scene.by(admin, headers) });
  assert.equal(changed.status, 200, changed.text);
  await until(async () => (await scene.get("deals", dora)).status === 403);

  assert.deepEqual(code(await scene.post("policies", { id: "admin", grants: [] }, admin)), [409, "ROLE_FIXED"]);
  assert.deepEqual(code(await scene.post("policies", { id: "odd", grants: ["inventory.read:own"] }, admin)), [422, "REACH_UNFIT"]);
  assert.equal((await scene.post("policies", { id: "odd", grants: ["everything"] }, admin)).status, 422);
  assert.deepEqual(code(await scene.post("policies", { id: "mine", grants: ["*.*"] }, ann)), [403, "NOT_ALLOWED"]);
});

test("what goes over all records takes the permission of all", async () => {
  await scene.post("policies", { id: "half", grants: ["deals.book:own", "deals.read:own"] }, admin);
  const half = await token("hal", ["half"]);
  await until(async () => (await scene.get("deals", half)).status === 200);
  const { status, json } = await scene.post("deals/book", { ...body("past"), date: "2011-01-01" }, half);
  assert.deepEqual([status, json.code], [403, "NOT_ALLOWED"]);
});

test("whoever writes his own deals puts none before a team that is not his", async () => {
  assert.deepEqual(code(await scene.post("deals", { ...body("smuggled"), team: "eu" }, cid)), [403, "NOT_ALLOWED"]);
  assert.equal((await open("own-team", cid, { team: "uk" })).team, "uk");
});

test("who may read policies is not told of users whom he may not read, and a policy that would not count is refused", async () => {
  await scene.post("policies", { id: "lawyer", grants: ["policies.read"] }, admin);
  const lawyer = await token("lea", ["lawyer"]);
  await until(async () => (await scene.get("policies/roles", lawyer)).status === 200);
  assert.equal((await scene.post("policies/check", { roles: ["sales"], action: "v1.deals.get" }, lawyer)).status, 200);
  assert.deepEqual(code(await scene.post("policies/check", { user: "ann", action: "v1.deals.get" }, lawyer)), [403, "NOT_ALLOWED"]);
  const there = ((await scene.get("policies?limit=200", admin)).json.items as object[]).length;
  const made = await Promise.all(
    Array.from({ length: 500 - there }, (_, n) => scene.post("policies", { id: `many-${n}`, grants: [] }, admin)),
  );
  assert.ok(made.every(({ status }) => status === 201));
  assert.deepEqual(code(await scene.post("policies", { id: "reader", grants: [] }, admin)), [409, "POLICIES_FULL"]);
});
