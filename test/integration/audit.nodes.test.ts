import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { bearer } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import { startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { run } from "../support/system.ts";

const skip = without("nats", "mongo");

const serversOf = async (t: TestContext) => {
  const [nats, mongo] = await Promise.all([startServer("nats"), startServer("mongo")]);
  t.after(() => Promise.all([nats.stop(), mongo.stop()]));
  return { TRANSPORTER: nats.url, MONGO_URL: mongo.url, NAMESPACE: `audit-${process.pid}` };
};

test("two nodes write one trail, whichever is killed; what the door of a third one refused is in it", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const env = await serversOf(t);
  const door = await startMember(t, "door", { rooms: ["gateway"], env });
  const [first] = await Promise.all([
    startMember(t, "audit-1", { rooms: ["audit"], env }),
    startMember(t, "audit-2", { rooms: ["audit"], env }),
    startMember(t, "rooms", { rooms: ["customers", "users", "policies", "auth"], env }),
  ]);
  const api = `${door.url}/api/v1`;
  const olga = await bearer("olga", ["auditor"]);
  const trail = async (query: string) =>
    ((await ask(`${api}/audit?limit=1000${query}`, { headers: { authorization: olga } })).json.items ?? []) as {
      id: string;
      resource: string;
      from: string;
      node?: string;
    }[];
  await until(
    async () =>
      (await ask(`${api}/customers`)).status === 200 && (await ask(`${api}/audit`, { headers: { authorization: olga } })).status === 200,
  );
  const create = async (from: number, to: number) => {
    for (let i = from; i < to; i++) assert.equal((await ask(`${api}/customers`, { body: { id: `c${i}`, name: `C ${i}` } })).status, 201);
  };
  await create(0, 40);
  await first.stop("SIGKILL");
  await create(40, 80);
  assert.equal((await ask(`${api}/customers`, { body: { name: "X" }, headers: { authorization: undefined } })).status, 401);
  assert.equal((await ask(`${api}/customers`, { body: { id: "c1", name: "again" } })).status, 409);
  const lines = await until(async () => {
    const found = await trail("&room=customers&result=accepted");
    return found.length >= 80 && found;
  });
  assert.equal(new Set(lines.map(({ resource }) => resource)).size, 80);
  assert.equal(lines.length, 80);
  assert.ok(lines.every(({ from }) => from === "127.0.0.1"));
  const refused = await until(async () => {
    const found = await trail("&result=refused&room=customers");
    return found.length === 2 && found;
  });
  assert.deepEqual(refused.map(({ node }) => node).sort(), ["door", "rooms"]);
  const { code, stdout } = await run(["services/audit/audit.command.ts", "verify", "--each"], env);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /, 0 findings/);
});
