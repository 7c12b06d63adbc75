import assert from "node:assert/strict";
import { test } from "node:test";
import { echo } from "../support/door.service.ts";
import { ask, sendRaw, serve } from "../support/http.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

test("what a query says arrives as the action means it", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { json } = await ask(`${url}/api/v1/echo?limit=20&open=true&tags=a&tags=b%20c&from=x+y&other=1`);
  assert.deepEqual(json.params, { limit: 20, open: true, tags: ["a", "b c"], from: "x y" });
  const { json: one } = await ask(`${url}/api/v1/echo/?tags=only`);
  assert.deepEqual(one.params, { tags: ["only"] });
});

test("a wrong field is named, with what would be right", async (t) => {
  const { url } = await serve(t, [echo()]);
  const query = await ask(`${url}/api/v1/echo?limit=many`);
  assert.equal(query.status, 422);
  assert.equal(query.json.code, "VALIDATION_ERROR");
  assert.deepEqual(query.json.errors, [{ field: "limit", rule: "number", message: "The 'limit' field must be a number." }]);

  const body = await ask(`${url}/api/v1/echo`, { body: { id: "a b", lines: [{ product: "", quantity: "1" }] } });
  assert.equal(body.headers["content-type"], "application/problem+json");
  const fields = (body.json.errors as { field: string; rule: string; expected: string }[]).map(({ field, rule, expected }) => [
    field,
    rule,
    expected,
  ]);
  assert.deepEqual(fields, [
    ["id", "stringPattern", undefined],
    ["lines[0].product", "stringMin", "1"],
  ]);
  const [{ message }] = body.json.errors as [{ message: string }];
  assert.equal(message, "The 'id' field must be an id: 1 to 64 letters, digits, _, ~ and -, a letter or digit first");
  const headers = { "Content-Type": "application/json" };
  const half = await ask(`${url}/api/v1/echo`, { headers, body: '{"id":"a","note":"\\ud800"}' });
  assert.deepEqual([half.status, half.json.code], [400, "MALFORMED_BODY"]);
  const whole = await ask(`${url}/api/v1/echo`, { headers, body: '{"id":"a","lines":[],"note":"\\\\ud800 \\ud83d\\ude00"}' });
  assert.notEqual(whole.json.code, "MALFORMED_BODY");
});

test("a body that is not what it should be is refused before any room sees it", async (t) => {
  const { url } = await serve(t, [echo()]);
  const deep = `{"id":"a","any":${'{"a":'.repeat(30)}1${"}".repeat(30)}}`;
  const wide = JSON.stringify({ id: "a", any: { list: new Array(60_000).fill(0) } });
  const cases: [string, number, string | Buffer, object?][] = [
    ["MALFORMED_BODY", 400, "{"],
    ["MALFORMED_BODY", 400, "[]"],
    ["MALFORMED_BODY", 400, "null"],
    ["MALFORMED_BODY", 400, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ["FORBIDDEN_KEY", 400, '{"id":"a","__proto__":{"admin":true}}'],
    ["FORBIDDEN_KEY", 400, '{"id":"a","any":{"list":[{"constructor":1}]}}'],
    ["FORBIDDEN_KEY", 400, '{"id":"a","\\u0070rototype":1}'],
    ["BODY_TOO_COMPLEX", 400, deep],
    ["BODY_TOO_COMPLEX", 400, wide],
    ["BODY_TOO_LARGE", 413, JSON.stringify({ id: "a", any: { text: "x".repeat(1_048_576) } })],
    ["UNSUPPORTED_MEDIA_TYPE", 415, '{"id":"a"}', { "Content-Type": "text/plain" }],
    ["UNSUPPORTED_MEDIA_TYPE", 415, '{"id":"a"}', { "Content-Type": "application/json; charset=latin1" }],
    ["UNSUPPORTED_ENCODING", 415, '{"id":"a"}', { "Content-Encoding": "gzip" }],
  ];
  for (const [code, status, body, headers] of cases) {
    const answer = await ask(`${url}/api/v1/echo`, { body, headers: { ...JSON_TYPE, ...headers } });
    assert.deepEqual([answer.status, answer.json.code], [status, code], String(body).slice(0, 60));
  }
  const chunked = await ask(`${url}/api/v1/echo`, {
    body: "x".repeat(1_100_000),
    headers: { ...JSON_TYPE, "Transfer-Encoding": "chunked" },
  });
  assert.deepEqual([chunked.status, chunked.json.code], [413, "BODY_TOO_LARGE"]);
  const good = await ask(`${url}/api/v1/echo`, { body: '{"id":"a"}', headers: { "Content-Type": "application/json; charset=UTF-8" } });
  assert.equal(good.status, 201);
});

test("an address that is not what it should be is refused", async (t) => {
  const { url } = await serve(t, [echo()]);
  const codes = async (path: string) => {
    const { status, json } = await ask(url + path);
    return [status, json.code];
  };
  assert.deepEqual(await codes("/api/v1/echo?__proto__=1"), [400, "FORBIDDEN_KEY"]);
  assert.deepEqual(await codes("/api/v1/echo?constr%75ctor=1"), [400, "FORBIDDEN_KEY"]);
  assert.deepEqual(await codes("/api/v1/echo?from=%ff"), [400, "MALFORMED_URL"]);
  assert.deepEqual(await codes("/api/v1/echo/%E0%A4"), [400, "MALFORMED_URL"]);
  assert.deepEqual(await codes(`/api/v1/echo?${"a=1&".repeat(101)}`), [400, "MALFORMED_URL"]);
  assert.deepEqual(await codes("/api/v1/echo/a%2Fb"), [422, "VALIDATION_ERROR"]);
  assert.deepEqual(await codes("/api/v1/echo/a/b/c"), [404, "ROUTE_NOT_FOUND"]);
  assert.deepEqual(await codes("/api/v1/echo/hidden"), [200, undefined], "a hidden action's path is a plain id");
  assert.deepEqual(await codes("/../../etc/passwd"), [404, "ROUTE_NOT_FOUND"]);
});

test("a wrong method is told which are right", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { status, headers, json } = await ask(`${url}/api/v1/echo/a`, { method: "DELETE" });
  assert.deepEqual([status, json.code, headers.allow], [405, "METHOD_NOT_ALLOWED", "HEAD, GET, PATCH, OPTIONS"]);
  const options = await ask(`${url}/api/v1/echo/a`, { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.allow], [204, "HEAD, GET, PATCH, OPTIONS"]);
});

test("a room that exists but does not run here is unavailable, not unknown", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { status, json, headers } = await ask(`${url}/api/v1/deals/1`);
  assert.deepEqual([status, json.code, headers["retry-after"]], [503, "ROOM_UNAVAILABLE", "1"]);
  assert.equal((await ask(`${url}/api/v1/unheard-of`)).status, 404);
});

test("a request goes under the ids it brings, where they are safe to repeat", async (t) => {
  const { url } = await serve(t, [echo()]);
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
  const given = await ask(`${url}/api/v1/echo`, { headers: { "X-Request-Id": "order-17.a", traceparent } });
  assert.equal(given.headers["x-request-id"], "order-17.a");
  assert.equal(given.json.requestId, "order-17.a");
  assert.deepEqual(given.json.meta, { traceId: trace });

  assert.equal((await ask(`${url}/api/v1/echo`, { headers: { traceparent } })).headers["x-request-id"], trace);

  const unsafe = await ask(`${url}/nope`, { headers: { "X-Request-Id": 'a" onload="x' } });
  assert.match(String(unsafe.headers["x-request-id"]), /^[0-9a-f]{32}$/);
  assert.equal(unsafe.json.requestId, unsafe.headers["x-request-id"]);
});

test("a write says with headers that it is done once, and to which version", async (t) => {
  const { url } = await serve(t, [echo()]);
  const from = { from: "127.0.0.1" };
  const change = (headers: Record<string, string>) => ask(`${url}/api/v1/echo/a`, { method: "PATCH", body: { name: "b" }, headers });
  assert.deepEqual((await change({ "Idempotency-Key": "key 1", "If-Match": '"7"' })).json.meta, {
    ...from,
    idempotencyKey: "key 1",
    ifVersion: 7,
  });
  assert.deepEqual((await change({ "If-Match": '"7-br"' })).json.meta, { ...from, ifVersion: 7 });
  assert.deepEqual((await change({ "If-Match": "*" })).json.meta, from);
  const refusals: [Record<string, string>, number, string][] = [
    [{}, 428, "VERSION_REQUIRED"],
    [{ "If-Match": "7" }, 400, "MALFORMED_IF_MATCH"],
    [{ "If-Match": '"7", "8"' }, 400, "MALFORMED_IF_MATCH"],
    [{ "If-Match": 'W/"7"' }, 412, "VERSION_MISMATCH"],
    [{ "If-Match": '"some-hash"' }, 412, "VERSION_MISMATCH"],
    [{ "If-Match": '"7"', "Idempotency-Key": "x".repeat(256) }, 400, "MALFORMED_IDEMPOTENCY_KEY"],
    [{ "If-Match": '"7"', "Idempotency-Key": "clé" }, 400, "MALFORMED_IDEMPOTENCY_KEY"],
  ];
  for (const [headers, status, code] of refusals) {
    const answer = await change(headers);
    assert.deepEqual([answer.status, answer.json.code], [status, code]);
  }
});

test("what is no HTTP is answered as a problem, and hung up on", async (t) => {
  const { url } = await serve(t, []);
  const garbage = await sendRaw(url, "HELLO\r\n\r\n");
  assert.match(garbage, /^HTTP\/1\.1 400 /);
  assert.match(garbage, /"code":"MALFORMED_REQUEST"/);
  const long = await sendRaw(url, `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`);
  assert.match(long, /^HTTP\/1\.1 431 .*"code":"HEADERS_TOO_LARGE"/s);
  const smuggled = await sendRaw(url, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  assert.match(smuggled, /^HTTP\/1\.1 400 /);
});
