import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { constants, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectPlain } from "node:net";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { action } from "../../mixins/core/params.ts";
import { log } from "../../mixins/runtime/logger.ts";
import { issue, newKey } from "../../mixins/trust/certificates.ts";
import type { Door } from "../../services/gateway/door.ts";
import { makeCerts } from "../support/certs.ts";
import { authorization } from "../support/credentials.ts";
import { echo, latch } from "../support/door.service.ts";
import { serve } from "../support/http.ts";
import { allOf, overHttp1, overHttp2, session } from "../support/http2.ts";
import { until } from "../support/other-node.ts";
import { folder } from "../support/system.ts";

const safe: ServiceSchema = {
  name: "safe",
  version: 1,
  actions: {
    look: action({
      rest: "GET /",
      visibility: "published",
      permission: "deals.read",
      params: {},
      returns: { safe: "boolean" },
      handler: () => ({ safe: true }),
    }),
  },
};

const doorOf = (broker: ServiceBroker) => (broker.getLocalService("gateway") as unknown as { door: Door }).door;

/** As whoever renews it does: whole or not at all. */
const replace = (file: string, text: string) => {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};

const secured = async (t: TestContext, held = latch()) => {
  const certs = await makeCerts(folder(t), ["--nodes", "gateway"]);
  const certificate = { cert: certs.of("servers/https.crt"), key: certs.of("servers/https.key") };
  const { url, broker } = await serve(t, [echo(held), safe], { certificate });
  return { url, certs, certificate, broker, ca: readFileSync(certs.of("ca.crt")) };
};

test("HTTP/2 and HTTP/1.1 over TLS get the same answers, and browsers are told to come by HTTPS only", async (t) => {
  const { url, ca } = await secured(t);
  assert.match(url, /^https:/);
  const client = await session(t, url, ca);
  const make = JSON.stringify({ id: "m", lines: [{ product: "a", quantity: "1" }] });
  const json = { "content-type": "application/json" };
  const asked: [path: string, method: string, headers: OutgoingHttpHeaders, body?: string][] = [
    ["/api/v1/echo?limit=7&tags=a&tags=b", "GET", {}],
    ["/api/v1/echo/a", "GET", {}],
    ["/api/v1/echo/a", "HEAD", {}],
    ["/api/v1/echo/a", "GET", { "if-none-match": '"3"' }],
    ["/api/v1/echo", "POST", json, make],
    ["/api/v1/echo", "POST", { "content-type": "text/plain" }, make],
    ["/api/v1/echo", "POST", json, '{"id":'],
    ["/api/v1/echo/a", "DELETE", {}],
    ["/api/v1/nothing", "GET", {}],
    ["/api/v1/echo/a", "GET", { authorization: "Basic eDp5" }],
    ["/docs", "GET", { "accept-encoding": "gzip" }],
    ["/openapi.json", "HEAD", { "accept-encoding": "br" }],
    ["/", "GET", {}],
  ];
  const statuses: number[] = [];
  for (const [path, method, headers, body] of asked) {
    const given = { ...headers, "x-request-id": "r-1", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
    const two = await overHttp2(client, path, { ":method": method, ...given }, body);
    const one = await overHttp1(url, ca, path, given, body, method);
    assert.deepEqual([two.status, two.bytes.toString()], [one.status, one.bytes.toString()], `${method} ${path}`);
    const names = [
      "content-type",
      "content-length",
      "etag",
      "cache-control",
      "location",
      "allow",
      "www-authenticate",
      "x-request-id",
      "content-encoding",
      "content-security-policy",
    ];
    for (const name of names) assert.equal(two.headers[name], one.headers[name], `${method} ${path}: ${name}`);
    assert.equal(String(two.headers.vary), String(one.headers.vary));
    assert.equal(two.headers["strict-transport-security"], "max-age=31536000");
    assert.equal(two.headers.connection, undefined);
    statuses.push(two.status);
  }
  assert.deepEqual(statuses.slice(0, 6), [200, 200, 200, 304, 201, 415]);
});

test("who must say who he is, is asked for it, and let in by a token", async (t) => {
  const { url, ca } = await secured(t);
  const client = await session(t, url, ca);
  const { status, headers } = await overHttp2(client, "/api/v1/safe");
  assert.deepEqual([status, headers["www-authenticate"]], [401, 'Bearer realm="banyan"']);
  assert.equal((await overHttp2(client, "/api/v1/safe", { authorization })).status, 200);
  assert.equal((await overHttp1(url, ca, "/api/v1/safe", { authorization })).status, 200);
});

test("a body without a length is taken in, one that is too large is refused while it comes", async (t) => {
  const { url, ca } = await secured(t);
  const client = await session(t, url, ca);
  const headers = { ":method": "POST", "content-type": "application/json" };
  const made = await overHttp2(client, "/api/v1/echo", headers, JSON.stringify({ id: "m" }));
  assert.deepEqual([made.status, made.json.id], [201, "m"]);
  const empty = await overHttp2(client, "/api/v1/echo", headers);
  assert.equal(empty.status, 422, "without a body it is an empty one");
  const large = client.request({ ":path": "/api/v1/echo", ...headers });
  large.on("error", () => {});
  const answered = once(large, "response") as Promise<[Record<string, unknown>]>;
  const chunk = Buffer.alloc(65_536, " ");
  for (let sent = 0; sent <= 1_048_576; sent += chunk.length) large.write(chunk);
  assert.equal((await answered)[0][":status"], 413);
  assert.equal(JSON.parse((await allOf(large)).toString()).code, "BODY_TOO_LARGE");
  if (!large.closed) await once(large, "close");
  assert.equal(large.rstCode, constants.NGHTTP2_NO_ERROR, "the rest is not waited for");
  const named = await overHttp2(client, "/api/v1/echo", { ...headers, "content-length": "2000000" }, Buffer.alloc(2_000_000, " ")).catch(
    (error) => error,
  );
  assert.equal(named.status, 413);
  assert.equal((await overHttp2(client, "/api/v1/echo/a")).status, 200, "the connection goes on");
});

test("a request that its client takes back before it is whole is not carried out", async (t) => {
  const { url, ca, broker } = await secured(t);
  const called = t.mock.method(broker, "call");
  const client = await session(t, url, ca);
  const stream = client.request({ ":path": "/api/v1/echo", ":method": "POST", "content-type": "application/json" });
  stream.on("error", () => {});
  stream.write('{"id":"half"}');
  stream.close(constants.NGHTTP2_CANCEL);
  await once(stream, "close");
  assert.equal((await overHttp2(client, "/api/v1/echo/a")).status, 200);
  assert.equal(called.mock.calls.filter(({ arguments: [name] }) => (name as string) === "v1.echo.make").length, 0);
  assert.equal(doorOf(broker).open.size, 0, "nothing is kept of it");
});

test("a body that does not come to its end is given up", async (t) => {
  const { url, ca, broker } = await secured(t);
  const client = await session(t, url, ca);
  const stream = client.request({ ":path": "/api/v1/echo", ":method": "POST", "content-type": "application/json" });
  const answered = once(stream, "response") as Promise<[Record<string, unknown>]>;
  stream.write('{"id":');
  const exchange = await until(() => [...doorOf(broker).open][0]);
  Object.defineProperty(exchange, "began", { value: performance.now() - 60_000 });
  assert.equal((await answered)[0][":status"], 408);
  assert.equal(JSON.parse((await allOf(stream)).toString()).code, "REQUEST_TOO_SLOW");
});

test("an answer that does not come is given up, also where all of the request has come", async (t) => {
  const held = latch();
  const { url, ca, broker } = await secured(t, held);
  const client = await session(t, url, ca);
  const answer = overHttp2(client, "/api/v1/echo/hold", { ":method": "POST" });
  await held.reached;
  Object.defineProperty([...doorOf(broker).open][0]!, "began", { value: performance.now() - 60_000 });
  assert.deepEqual([(await answer).status, (await answer).json.code], [503, "REQUEST_TIMEOUT"]);
  held.resolve();
});

test("whoever opens streams only to take them back loses the connection, and others do not notice", async (t) => {
  const { url, ca } = await secured(t);
  const [calm, wild] = [await session(t, url, ca), await session(t, url, ca)];
  const told = once(wild, "goaway") as Promise<[number]>;
  for (let n = 0; n < 2_000 && !wild.destroyed; n++) {
    const stream = wild.request({ ":path": "/api/v1/echo/a" });
    stream.on("error", () => {});
    stream.close(constants.NGHTTP2_CANCEL);
    if (n % 50 === 0) await new Promise(setImmediate);
  }
  assert.notEqual((await told)[0], constants.NGHTTP2_NO_ERROR);
  assert.equal((await overHttp2(calm, "/api/v1/echo/a")).status, 200);
});

test("headers that are too large, and streams beyond the number that is allowed, are refused", async (t) => {
  const { url, ca } = await secured(t);
  const client = await session(t, url, ca);
  assert.equal((await overHttp2(client, "/api/v1/echo/a", { "x-large": "x".repeat(20_000) })).status, 431);
  const past = await overHttp2(client, "/api/v1/echo/a", Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x-${n}`, "x"]))).catch(
    (error: Error) => error,
  );
  assert.ok(past instanceof Error, "so many are not even read");
  assert.equal((await overHttp1(url, ca, "/api/v1/echo/a", { "x-large": "x".repeat(20_000) })).status, 431);
  const again = await session(t, url, ca);
  if (!again.remoteSettings.maxConcurrentStreams || again.remoteSettings.maxConcurrentStreams > 1_000) await once(again, "remoteSettings");
  assert.equal(again.remoteSettings.maxConcurrentStreams, 100);
  assert.equal((await overHttp2(again, "/api/v1/echo/a")).status, 200);
});

test("who speaks no TLS, or an old one, gets no answer and does no harm", async (t) => {
  const { url, ca } = await secured(t);
  const { port } = new URL(url);
  const plain = connectPlain(Number(port), "127.0.0.1");
  plain.on("error", () => {});
  plain.write("GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(plain, "close");
  assert.ok(plain.bytesRead < 100);
  const old = connectTls({ port: Number(port), ca, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
  const [error] = (await once(old, "error")) as [NodeJS.ErrnoException];
  assert.match(String(error.code), /PROTOCOL/);
  const modern = connectTls({ port: Number(port), ca, ALPNProtocols: ["h2"] });
  await once(modern, "secureConnect");
  assert.deepEqual([modern.getProtocol(), modern.alpnProtocol], ["TLSv1.3", "h2"]);
  modern.destroy();
  assert.equal((await overHttp1(url, ca, "/health/live")).status, 200);
});

test("a door that closes says so on connections that stay open, and finishes what it has taken", async (t) => {
  const held = latch();
  const { url, ca, broker } = await secured(t, held);
  const client = await session(t, url, ca);
  const idle = connectTls({ port: Number(new URL(url).port), ca, ALPNProtocols: ["http/1.1"] });
  idle.on("error", () => {});
  await once(idle, "secureConnect");
  const answer = overHttp2(client, "/api/v1/echo/hold", { ":method": "POST" });
  await held.reached;
  const told = once(client, "goaway") as Promise<[number]>;
  const stopped = broker.destroyService(broker.getLocalService("gateway"));
  assert.equal((await told)[0], constants.NGHTTP2_NO_ERROR);
  held.resolve();
  assert.deepEqual((await answer).json, { held: true });
  await stopped;
});

test("a certificate that is renewed is shown without a restart, and one that does not fit its key is not", async (t) => {
  const { url, ca, certs, certificate } = await secured(t);
  const shown = async () => {
    const socket = connectTls({ port: Number(new URL(url).port), ca });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const before = await shown();
  const key = await newKey();
  const authority = { key: readFileSync(certs.of("ca.key"), "utf8"), certificate: ca.toString() };
  const made = await issue(authority, key, { name: "https", hosts: [], rooms: [] });
  const logged = t.mock.method(log, "warn");
  replace(certificate.cert, made);
  await until(() => logged.mock.calls.some(({ arguments: [told] }) => (told as { event: string }).event === "certificate.refused"));
  assert.equal(await shown(), before);
  replace(certificate.key, key);
  await until(async () => (await shown()) !== before);
});
