import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { bearer } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import type { Attack, Scene } from "./scene.ts";

const valid = { name: "Acme" };
const nested = (depth: number): unknown => (depth === 0 ? "x" : { a: nested(depth - 1) });

/** Other ways to write one address, which a careless door would let by. */
const ADDRESSES = [
  ...["//api/v1/users", "/api//v1/users", "/API/v1/users", "/api/v1/users/", "/api/v1/./users", "/api/v1/%75sers"],
  ...["/api%2fv1%2fusers", "/docs/../api/v1/users", "/api/v1/users;a=b", "/api/v1/users%00"],
];

/** On what the system can bear, who may do what, and how it is set up. */
export const onDoor = (scene: Scene): Attack[] => {
  const { api, by, post, get, login } = scene;
  const customer = (body: unknown = valid, headers: Record<string, string> = {}) => post("customers", body, scene.ann, headers);
  const customers = (query = "") => get(`customers${query}`, scene.ann);
  return [
    // API4: what it costs
    {
      name: "a body beyond a megabyte",
      legitimate: () => customer(),
      attack: () => customer({ ...valid, fields: { a: "x".repeat(1_100_000) } }),
      refused: [413],
    },
    {
      name: "a body that is deeper than any",
      legitimate: () => customer({ ...valid, fields: { a: { b: "c" } } }),
      attack: () => customer({ ...valid, fields: nested(500) }),
      refused: [400],
    },
    {
      name: "a body of very many keys",
      legitimate: () => customer(),
      attack: () => customer({ ...valid, fields: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`k${n}`, n])) }),
      refused: [400, 422],
    },
    {
      name: "a body that grows when it is unpacked (compression bomb)",
      legitimate: () => customer(),
      attack: () => customer(gzipSync(Buffer.alloc(10_000_000, "{")), { "Content-Type": "application/json", "Content-Encoding": "gzip" }),
      refused: [415],
    },
    { name: "a page of a million", legitimate: () => customers("?limit=200"), attack: () => customers("?limit=1000000"), refused: [422] },
    {
      name: "a text that a careless pattern would read for ever (ReDoS)",
      legitimate: () => login("ann@acme.example"),
      attack: () => login(`${"a".repeat(60)}@${"a-".repeat(95)}`),
      refused: [401, 422, 429],
    },
    // API5: functions of others
    { name: "the list of users, by a trader", legitimate: () => customers(), attack: () => get("users", scene.ann), refused: [403] },
    {
      name: "a link for another user's password, by a trader",
      legitimate: () => customers(),
      attack: () => post("auth/users/scene.bob/link", {}, scene.ann),
      refused: [403],
    },
    {
      name: "ending all of another user's sessions",
      legitimate: () => customers(),
      attack: () => post("auth/users/scene.bob/end-sessions", {}, scene.ann),
      refused: [403],
    },
    {
      name: "booking the past, by a trader",
      legitimate: () => customers(),
      attack: () => post("deals/book", {}, scene.ann),
      refused: [403],
    },
    {
      name: "HEAD, where GET takes a login",
      legitimate: () => api("customers", { method: "HEAD", headers: by(scene.ann) }),
      attack: () => api("customers", { method: "HEAD", headers: by(undefined) }),
      refused: [401],
    },
    {
      name: "another method by a header",
      legitimate: () => customers(),
      attack: () => get("customers", scene.ann, { "X-HTTP-Method-Override": "DELETE", "X-Method-Override": "POST" }),
      harmless: (attack, legitimate) => assert.equal(attack.status, legitimate.status),
    },
    {
      name: "an action that is no route, by its name",
      legitimate: () => customers(),
      attack: () => post("auth/firstLink", {}),
      refused: [404],
    },
    {
      name: "an internal action of a room, by its name",
      legitimate: () => customers(),
      attack: () => post("customers/saveMany", { items: [] }, scene.ann),
      refused: [404, 405],
    },
    ...ADDRESSES.map(
      (path): Attack => ({
        name: `another way to write an address: ${path}`,
        legitimate: () => customers(),
        attack: () => ask(scene.base + path, { headers: by(undefined) }),
        refused: [400, 401, 404],
      }),
    ),
    // API6: business
    {
      name: "one request many times at once under one key",
      legitimate: () => customer({ name: "once" }, { "Idempotency-Key": "many" }),
      attack: async () =>
        (await Promise.all(Array.from({ length: 20 }, () => customer({ name: "once" }, { "Idempotency-Key": "many" }))))[19]!,
      harmless: (attack, legitimate) => assert.equal(attack.json.id, legitimate.json.id),
    },
    // API8: how it is set up
    {
      name: "a JavaScript prototype in a body",
      legitimate: () => customer(),
      attack: () => customer('{"name":"x","__proto__":{"roles":["admin"]}}', { "Content-Type": "application/json" }),
      refused: [400],
    },
    {
      name: "a constructor in a body",
      legitimate: () => customer(),
      attack: () => customer('{"name":"x","fields":{"constructor":{"prototype":{"a":1}}}}', { "Content-Type": "application/json" }),
      refused: [400],
    },
    {
      name: "a JavaScript prototype in the query",
      legitimate: () => customers("?limit=1"),
      attack: () => customers("?__proto__[limit]=1&__proto__=2"),
      refused: [400],
    },
    {
      name: "an operator of a database in the query",
      legitimate: () => customers("?country=EIRE"),
      attack: () => customers("?country[$ne]=EIRE"),
      harmless: (attack, legitimate) => assert.ok(attack.status === 422 || attack.text.length >= legitimate.text.length),
    },
    {
      name: "an order by a field that is nobody's to see",
      legitimate: () => customers("?sort=name"),
      attack: () => customers("?sort=_hash"),
      refused: [422],
    },
    {
      name: "a form instead of JSON, as another page would send it",
      legitimate: () => customer(),
      attack: () => customer("name=Acme", { "Content-Type": "application/x-www-form-urlencoded" }),
      refused: [415],
    },
    {
      name: "JSON that says it is text, as another page would send it",
      legitimate: () => customer(),
      attack: () => customer(JSON.stringify(valid), { "Content-Type": "text/plain" }),
      refused: [415],
    },
    {
      name: "a line break in an id",
      legitimate: () => get("customers?limit=1", scene.ann),
      attack: () => get("customers/a%0d%0aSet-Cookie:%20x=1", scene.ann),
      refused: [404, 422],
      harmless: ({ headers }) => assert.equal(headers["set-cookie"], undefined),
    },
    {
      name: "a file's path as an id",
      legitimate: () => customers("?limit=1"),
      attack: () => get("customers/..%2f..%2fetc%2fpasswd", scene.ann),
      refused: [404, 422],
    },
    {
      name: "a file's path as a page",
      legitimate: () => ask(`${scene.base}/docs`),
      attack: () => ask(`${scene.base}/docs/..%2f..%2f..%2fpackage.json`),
      refused: [404],
    },
    {
      name: "a Host that is not ours, to be repeated on a page",
      legitimate: () => ask(`${scene.base}/`),
      attack: () => ask(`${scene.base}/`, { headers: { Host: '"><script>alert(1)</script>' } }),
      refused: [200, 400],
      harmless: ({ text }) => assert.doesNotMatch(text, /<script>alert/),
    },
    {
      name: "a page of another origin",
      legitimate: () => customers("?limit=1"),
      attack: () => get("customers?limit=1", scene.ann, { Origin: "https://evil.example" }),
      harmless: ({ headers }) => assert.equal(headers["access-control-allow-origin"], undefined),
    },
    {
      name: "an answer of somebody else's out of a cache, by its tag",
      legitimate: async () => get("users/ann", undefined, { authorization: await bearer() }),
      attack: () => get("users/ann", scene.ann, { "If-None-Match": '"1"' }),
      refused: [403],
    },
    {
      name: "a stack or a driver's text out of a mistake",
      legitimate: () => customers("?limit=1"),
      attack: () => get("customers?after=%F0%9F%92%A9&sort=name", scene.ann),
      refused: [400],
      harmless: ({ text }) => assert.doesNotMatch(text, /node_modules|sqlite|mongo|\.ts:/i),
    },
  ];
};
