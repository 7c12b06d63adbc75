import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ANYONE } from "../../mixins/core/policy.ts";
import { bearer } from "../support/credentials.ts";
import { type Answer, ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { PASSWORD, Scene } from "./scene.ts";

/** Each route with an id, with the ids of what there is, by each user whose it is not (OWASP API1:2023). */
const scene = new Scene();
let admin = "";
before(async () => {
  await scene.start();
  admin = (await bearer("root")).slice("Bearer ".length);
});
after(() => scene.end());

type Described = Record<string, Record<string, { "x-permission"?: string }>>;

test("on each route with an id, nobody gets at what is there but whoever may", async () => {
  const made = async (path: string, body: object, by = admin) => {
    const { status, text, json } = await scene.post(path, body, by);
    assert.ok(status < 300, `${path}: ${text}`);
    return json;
  };
  await made("customers", { id: "acme", name: "Acme" });
  await made("products", { id: "lamp", code: "LAMP", description: "A lamp" });
  await made("inventory/lamp/receipts", { id: "r1", quantity: "5", cost: "2", currency: "GBP" });
  await made("deals", { id: "d1", saleParty: "acme", currency: "GBP", lines: [{ product: "lamp", quantity: "1", rate: "3" }] });
  await made("deals/d1/confirm", {});
  await made("policies", { id: "temp", grants: [] });
  const { items: keys } = (await scene.get("auth/keys", scene.bob)).json as { items: { id: string }[] };
  const { json: trail } = await until(async () => {
    const answer = await scene.get("audit", admin);
    return (answer.json.items as object[]).length > 0 && answer;
  });
  const [entry] = trail.items as { day: string; n: number }[];
  const ids: Record<string, string> = {
    "audit/entries/{day}/{n}": `audit/entries/${entry!.day}/${entry!.n}`,
    "auth/keys/{key}": `auth/keys/${keys[0]!.id}`,
    "auth/keys/{key}/rotate": `auth/keys/${keys[0]!.id}/rotate`,
    "auth/sessions/{session}": `auth/sessions/${scene.made.session}`,
    "auth/identities/{identity}": "auth/identities/none",
    "auth/providers/{provider}/link": "auth/providers/none/link",
    "inventory/{product}/reservations/{id}/pick": "inventory/lamp/reservations/d1~1~l1/pick",
    "inventory/{product}/reservations/{id}/release": "inventory/lamp/reservations/d1~1~l1/release",
    "deals/{id}/lines/{line}/sources": "deals/d1/lines/1/sources",
  };
  const objects: Record<string, string> = {
    customers: "acme",
    deals: "d1",
    policies: "temp",
    products: "lamp",
    sagas: "confirm~d1~1",
    users: "bob",
  };
  const addressOf = (path: string) =>
    ids[path] ??
    path
      .replace("{id}", objects[path.split("/")[0]!] ?? "")
      .replace("{product}", "lamp")
      .replace("{user}", "bob");

  const { json } = await ask(`${scene.base}/openapi.json`);
  const routes = Object.entries(json.paths as Described).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { "x-permission": permission = ANYONE }]) =>
      path.includes("{") && permission !== ANYONE ? [{ method: method.toUpperCase(), path: path.replace("/api/v1/", ""), permission }] : [],
    ),
  );
  assert.ok(routes.length >= 45, `${routes.length} routes`);
  const strangers = { mallory: (await bearer("mallory", [])).slice(7), nemo: (await bearer("nemo", ["operator-of-nothing"])).slice(7) };
  const state = async () => {
    const all = ["customers/acme", "products/lamp", "inventory/lamp", "deals/d1", "policies/temp", "users/bob"];
    return Promise.all(all.map(async (path) => (await scene.get(path, admin)).text));
  };
  const before = await state();
  let tried = 0;
  for (const { method, path, permission } of routes) {
    const address = addressOf(path);
    assert.doesNotMatch(address, /[{}]/, path);
    for (const [who, token] of Object.entries(strangers)) {
      const body = method === "GET" || method === "DELETE" ? undefined : { password: PASSWORD };
      const answer: Answer = await scene.api(address, { method, body, headers: scene.by(token, { "If-Match": "*" }) });
      assert.ok([403, 404, 422].includes(answer.status), `${who}: ${method} ${address}: ${answer.status} ${answer.text}`);
      if (permission !== "somebody") assert.equal(answer.status, 403, `${who}: ${method} ${address}`);
      tried++;
    }
    if (method === "GET") assert.equal((await scene.get(address, admin)).status, 200, `whoever may is shown ${address}`);
  }
  assert.ok(tried >= 90);
  assert.deepEqual(await state(), before, "and nothing has changed");
  assert.equal((await scene.get("auth/sessions", scene.bob)).status, 200, "nor has anybody's session ended");
});

test("no pattern that a text is held against can be made to read for ever (ReDoS)", async () => {
  const { json } = await ask(`${scene.base}/openapi.json`);
  const patterns = new Set<string>();
  const walk = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    const { pattern } = value as { pattern?: unknown };
    if (typeof pattern === "string") patterns.add(pattern);
    for (const part of Object.values(value)) walk(part);
  };
  walk(json);
  assert.ok(patterns.size >= 15, `${patterns.size} patterns`);
  const pumps = ["a", "A", "0", "-", "a-", "a.", "0.", ".", "@", "a@", "~", "_", " ", ":own", "0-", "T0:", "é", "a@a."];
  const ends = ["", "!", "\n", "@", "a", "-"];
  let read = 0;
  for (const pattern of patterns) {
    for (const pump of pumps) {
      for (const end of ends) {
        new RegExp(pattern).test(`a@${pump.repeat(Math.ceil(3_000 / pump.length))}${end}`);
        new RegExp(pattern).test(`${pump.repeat(Math.ceil(3_000 / pump.length))}${end}`);
        read++;
      }
    }
  }
  assert.equal(read, patterns.size * pumps.length * ends.length, "each came to its end");
});
