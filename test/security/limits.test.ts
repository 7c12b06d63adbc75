import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { client, withUser } from "../support/clients.ts";
import { ask } from "../support/http.ts";
import { folder } from "../support/system.ts";

/** What costs us more than whoever asks for it (OWASP API4:2023): limits that hold whatever a client says, and however many it sends at once. */
const limited = (t: TestContext, rate: number) => withUser(t, ["trader"], { DATA_DIR: folder(t), RATE_LIMIT: String(rate) });

const of = (answers: { status: number }[], status: number) => answers.filter((answer) => answer.status === status).length;

test("many at once are let through as often as one after the other (a race on the limit)", async (t) => {
  const { url } = await limited(t, 10);
  const start = performance.now();
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(`${url}/docs`)));
  const most = 20 + Math.ceil((performance.now() - start) / 100); // 20 at once, and 10 more a second, however long it took
  assert.ok(of(answers, 200) >= 10 && of(answers, 200) <= most, `${of(answers, 200)} of 60 at once, where ${most} are`);
  assert.equal(of(answers, 200) + of(answers, 429), 60);
});

test("who a client says that it is changes nothing of its limit (X-Forwarded-For, Forwarded, another's token)", async (t) => {
  const { url } = await limited(t, 10);
  const headers = (n: number) => ({
    "X-Forwarded-For": `10.0.0.${n}`,
    "X-Real-IP": `10.0.0.${n}`,
    Forwarded: `for=10.0.0.${n}`,
    authorization: `Bearer x.${n}.y`,
  });
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => ask(`${url}/api/v1/customers`, { headers: headers(n) })));
  assert.ok(of(answers, 429) > 0, "10 a second, 20 at once");
  assert.equal(of(answers, 401) + of(answers, 429), 60);
});

test("health is answered also to a client that has asked too much", async (t) => {
  const { url } = await limited(t, 5);
  await Promise.all(Array.from({ length: 40 }, () => ask(`${url}/docs`)));
  assert.equal((await ask(`${url}/docs`)).status, 429);
  assert.equal((await ask(`${url}/health/ready`)).status, 200);
});

test("an attempt on each of many logins from one address is slowed as one on one is", async (t) => {
  const { login } = await limited(t, 1_000);
  const answers = await Promise.all(Array.from({ length: 120 }, (_, n) => login(`user-${n}@acme.example`, "a guess that is wrong")));
  assert.ok(of(answers, 429) > 0, "20 a second, 40 at once");
  assert.equal(of(answers, 401) + of(answers, 429) + of(answers, 503), 120);
});

/** Sends the beginning of a request, and the rest a byte at a time, and says what came back when the other side hung up. */
const trickle = (url: string, start: string, rest: string): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(start);
  let n = 0;
  const timer = setInterval(() => socket.writable && socket.write(rest[n++ % rest.length]!), 250);
  return new Promise((done) => {
    let said = "";
    socket.on("data", (data) => {
      said += data.toString();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      done(said);
    });
  });
};

test("whoever sends his headers a byte at a time is shut out, and others are served meanwhile (slow clients)", async (t) => {
  const { url, admin, get } = { ...(await limited(t, 1_000)) };
  const slow = Array.from({ length: 50 }, () => trickle(url, "GET /api/v1/customers HTTP/1.1\r\nHost: x\r\nX-Slow: ", "a"));
  assert.equal((await get("customers", admin)).status, 200);
  for (const said of await Promise.all(slow)) assert.match(said, /^HTTP\/1\.1 408 /);
  assert.equal((await get("customers", admin)).status, 200);
});

test("there is no address that a client can give for us to fetch (SSRF): where one appears, this asks for its attack", async (t) => {
  const { url, admin } = await withUser(t);
  const { get } = client({ url } as never);
  const { json } = await ask(`${url}/openapi.json`);
  const found: string[] = [];
  const walk = (value: unknown, path: string) => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, part] of Object.entries(value)) {
      const isAddress =
        /(^|[a-z])(url|uri|href|callback|webhook|endpoint|host)$/i.test(name) || (part as { format?: string })?.format === "uri";
      if (isAddress) found.push(`${path}.${name}`);
      walk(part, `${path}.${name}`);
    }
  };
  for (const [path, methods] of Object.entries(
    json.paths as Record<string, Record<string, { requestBody?: object; parameters?: object }>>,
  )) {
    for (const [method, { requestBody, parameters }] of Object.entries(methods)) walk({ requestBody, parameters }, `${method} ${path}`);
  }
  assert.deepEqual(found, []);
  assert.equal((await get("customers", admin)).status, 200);
});
