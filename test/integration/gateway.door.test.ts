import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get, request } from "node:http";
import { test } from "node:test";
import type { Context, Service } from "moleculer";
import { dependsOn } from "../../mixins/runtime/health.ts";
import { lines } from "../../mixins/runtime/logger.ts";
import { clientBehind, RateLimit } from "../../services/gateway/limits.ts";
import { echo, latch } from "../support/door.service.ts";
import { ask, serve } from "../support/http.ts";
import { folder, startSystem } from "../support/system.ts";

test("who asks too often is told when to come back; others are served", async (t) => {
  const { url } = await serve(t, [echo()], { rateLimit: 1, trustedProxies: ["127.0.0.1"] });
  const from = (client: string) => ask(`${url}/api/v1/echo/a`, { headers: { "X-Forwarded-For": client } });
  assert.deepEqual([(await from("10.0.0.1")).status, (await from("10.0.0.1")).status], [200, 200]);
  const { status, json, headers } = await from("10.0.0.1");
  assert.deepEqual([status, json.code, headers["retry-after"]], [429, "RATE_LIMITED", "1"]);
  assert.equal(headers.ratelimit, '"client";r=0;t=1');
  assert.equal((await from("10.0.0.2")).status, 200);
  const live = await ask(`${url}/health/live`, { headers: { "X-Forwarded-For": "10.0.0.1" } });
  assert.equal(live.status, 200, "a supervisor is answered always, or it would end what is merely busy");
});

test("a bucket fills again with time, up to twice the rate", () => {
  const limit = new RateLimit(10);
  const taken = (now: number) => Array.from({ length: 100 }, () => limit.take("a", now)).filter((wait) => wait === 0).length;
  assert.equal(taken(0), 20);
  assert.equal(taken(500), 5);
  assert.equal(taken(60_000), 20);
  assert.equal(limit.take("a", 60_000), 1);
});

test("only a proxy that we trust may say whom it speaks for", () => {
  const req = (remoteAddress: string, forwarded?: string) =>
    ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded } }) as never;
  const alone = clientBehind([]);
  assert.equal(alone(req("10.0.0.9", "1.1.1.1")), "10.0.0.9");
  const behind = clientBehind(["10.0.0.0/8", "::1"]);
  assert.equal(behind(req("::ffff:10.0.0.9", "6.6.6.6, 1.1.1.1, 10.2.2.2")), "1.1.1.1", "what a client wrote itself is not believed");
  assert.equal(behind(req("1.2.3.4", "9.9.9.9")), "1.2.3.4");
  assert.equal(
    behind(req("::1", "2001:db8:1:2::7")),
    behind(req("::1", "2001:db8:1:2:3:4:5:6")),
    "who has one address of a network has all",
  );
  assert.notEqual(behind(req("::1", "2001:db8:1:2::7")), behind(req("::1", "2001:db8:1:3::7")));
  assert.equal(behind(req("10.0.0.9", "nonsense")), "10.0.0.9");
  assert.throws(() => clientBehind(["10.0.0.0/99"]), /TRUSTED_PROXIES must name/);
});

test("pages of other origins read nothing unless they are named", async (t) => {
  const headers = { Origin: "https://shop.example" };
  const { url: closed } = await serve(t, [echo()]);
  assert.equal((await ask(`${closed}/api/v1/echo/a`, { headers })).headers["access-control-allow-origin"], undefined);

  const { url } = await serve(t, [echo()], { corsOrigins: ["https://shop.example"] });
  const allowed = await ask(`${url}/api/v1/echo/a`, { headers });
  assert.equal(allowed.headers["access-control-allow-origin"], "https://shop.example");
  assert.equal(allowed.headers.vary, "Origin");
  const preflight = await ask(`${url}/api/v1/echo/a`, {
    method: "OPTIONS",
    headers: { ...headers, "Access-Control-Request-Method": "PATCH" },
  });
  assert.equal(preflight.status, 204);
  assert.match(String(preflight.headers["access-control-allow-methods"]), /PATCH/);
  assert.match(String(preflight.headers["access-control-allow-headers"]), /Idempotency-Key/);
  const other = await ask(`${url}/api/v1/echo/a`, { headers: { Origin: "https://evil.example" } });
  assert.equal(other.headers["access-control-allow-origin"], undefined);
});

test("a node is ready when its rooms have started and what they depend on answers", async (t) => {
  const { url } = await serve(t, [echo()]);
  assert.deepEqual((await ask(`${url}/health/live`)).json, { live: true });
  const ready = await ask(`${url}/health/ready`);
  assert.equal(ready.status, 200);
  assert.deepEqual(ready.json.rooms, { echo: "started", gateway: "started" });

  const forget = dependsOn("a store", () => {
    throw new Error("disk I/O error");
  });
  t.after(forget);
  const { status, json } = await ask(`${url}/health/ready`);
  assert.equal(status, 503);
  assert.equal((json.dependencies as Record<string, string>)["a store"], "does not answer");
  assert.equal((await ask(`${url}/health/live`)).status, 200);
});

test("calls, answers and failures are counted for Prometheus", async (t) => {
  const { url } = await serve(t, [echo()]);
  for (const path of ["a", "b", "break?how=refused"]) await ask(`${url}/api/v1/echo/${path}`);
  const { text, headers } = await ask(`${url}/metrics`);
  assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/);
  assert.match(text, /^moleculer_request_time_count\{action="v1\.echo\.get"\} 2$/m);
  assert.match(text, /^moleculer_request_time_bucket\{action="v1\.echo\.get",le="2500"\} 2$/m);
  assert.match(text, /^moleculer_request_error_total\{action="v1\.echo\.break",code="STOCK_SHORT"\} 1$/m);
  assert.match(text, /^http_answers_total\{status="200"\} 2$/m);
  assert.match(text, /^process_memory_rss \d+/m);
});

test("a stop takes nothing new, and answers what it took", async (t) => {
  const held = latch();
  const { url, broker } = await serve(t, [echo(held)]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const before = get(`${url}/api/v1/echo/a`, { agent });
  const [first] = await once(before, "response");
  assert.equal(first.headers.connection, "keep-alive");
  first.resume();
  await once(first, "end");

  const waiting = ask(`${url}/api/v1/echo/hold`, { method: "POST" });
  await held.reached;
  const door = broker.getLocalService("gateway")!;
  const stopped = broker.destroyService(door);
  const [told] = await once(get(`${url}/api/v1/echo/a`, { agent }), "response");
  assert.deepEqual([told.statusCode, told.headers.connection], [200, "close"]);
  assert.equal((await ask(`${url}/health/ready`)).status, 503);

  const { server } = door as unknown as { server: { listening: boolean } };
  while (server.listening) await new Promise(setImmediate);
  await assert.rejects(ask(`${url}/api/v1/echo/a`), { code: "ECONNREFUSED" });
  held.resolve();
  const { status, json, headers } = await waiting;
  assert.deepEqual([status, json, headers.connection], [200, { held: true }, "close"]);
  await stopped;
});

test("a client that goes away in the middle of its body leaves nothing behind", async (t) => {
  const { url, broker } = await serve(t, [echo()]);
  const { door } = broker.getLocalService("gateway") as unknown as { door: { open: Set<unknown> } };
  const req = request(`${url}/api/v1/echo`, { method: "POST", headers: { "Content-Type": "application/json", "Content-Length": 100 } });
  req.on("error", () => {});
  req.write('{"id":');
  while (door.open.size === 0) await new Promise(setImmediate);
  req.destroy();
  while (door.open.size > 0) await new Promise(setImmediate);
  assert.equal((await ask(`${url}/api/v1/echo/a`)).status, 200);
});

test("the log has a JSON line for each request, without its query", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t), ROOMS: "gateway" });
  let out = "";
  system.process.stdout!.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  await ask(`${system.url}/nope?token=hidden`, { headers: { "X-Request-Id": "from-me", Authorization: "Bearer hidden" } });
  assert.equal(await system.stop(), 0);
  const line = JSON.parse(out.split("\n").find((line) => line.includes('"event":"request"'))!);
  const { time, traceId, ms, bytes, ...rest } = line;
  assert.deepEqual(rest, {
    level: 30,
    event: "request",
    requestId: "from-me",
    user: "anonymous",
    method: "GET",
    path: "/nope",
    action: "",
    status: 404,
    code: "ROUTE_NOT_FOUND",
  });
  assert.ok(time > 0 && ms >= 0 && bytes > 0 && /^[0-9a-f]{32}$/.test(traceId));
  assert.doesNotMatch(out, /hidden/);
});

test("what a room logs for a request names the request, also behind another room", async (t) => {
  const behind = {
    name: "behind",
    actions: {
      look(this: Service) {
        this.logger.error({ event: "looked", password: "hidden" });
      },
    },
  };
  const ahead = {
    name: "ahead",
    version: 1,
    actions: { ask: { rest: "GET /", permission: "somebody", params: {}, handler: (ctx: Context) => ctx.call("behind.look") } },
  };
  const { url, broker } = await serve(t, [behind, ahead]);
  const written = t.mock.method(lines, "write", () => {});
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  assert.equal((await ask(`${url}/api/v1/ahead`, { headers: { "X-Request-Id": "mine", traceparent } })).status, 204);
  await broker.call("behind.look", {}, { requestID: "from-elsewhere" });
  const told = written.mock.calls.map(({ arguments: [line] }) => JSON.parse(line!));
  assert.deepEqual(
    told.map(({ event, room, requestId, traceId, user, password }) => ({ event, room, requestId, traceId, user, password })),
    [
      {
        event: "looked",
        room: "behind",
        requestId: "mine",
        traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
        user: "tester",
        password: "[hidden]",
      },
      { event: "looked", room: "behind", requestId: "from-elsewhere", traceId: "from-elsewhere", user: "anonymous", password: "[hidden]" },
    ],
  );
});
