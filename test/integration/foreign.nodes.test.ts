import assert from "node:assert/strict";
import { test } from "node:test";
import { missing } from "../servers/install.ts";
import { startServer } from "../servers/start.ts";
import { ask } from "../support/http.ts";
import { startMember } from "../support/members.ts";
import { newKey, startLiar } from "../support/openid.ts";
import { until } from "../support/other-node.ts";

const skip = missing().includes("nats") && "nats-server is not installed: npm run servers -- --install";
const PARROT = "test/support/parrot.service.ts";

test("a trusted issuer's token goes with its user's calls, and each node that is told of the issuer finds out itself whose it is", {
  skip,
}, async (t) => {
  const [nats, key] = [await startServer("nats"), await newKey("k1")];
  t.after(() => nats.stop());
  const issuer = await startLiar(t, [key]);
  const trusted = [{ issuer: issuer.url, audience: "banyan", roles: { desk: ["admin"] }, prefix: "acme" }];
  const servers = { TRANSPORTER: nats.url, MONGO_URL: "mongodb://127.0.0.1:1" };
  const env = { ...servers, TRUSTED_ISSUERS: JSON.stringify(trusted) };
  const door = await startMember(t, "door", { rooms: ["gateway"], env });
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: issuer.url, aud: "banyan", sub: "ann", iat: now, exp: now + 600, roles: ["desk"] };
  const authorization = `Bearer ${await key.sign(claims)}`;
  const asked = () => ask(`${door.url}/api/v1/parrot/named/one`, { headers: { authorization } });

  const unknowing = await startMember(t, "unknowing", { modules: [PARROT], env: servers });
  await until(async () => (await ask(`${door.url}/api/v1/parrot/one`)).status === 200);
  const { status, json } = await asked();
  assert.deepEqual([status, json.code], [401, "TOKEN_INVALID"], "this node was told of no issuer");
  await unknowing.stop();
  await startMember(t, "knowing", { modules: [PARROT], env });
  await until(async () => (await ask(`${door.url}/api/v1/parrot/one`)).status === 200);
  assert.deepEqual((await asked()).json, { node: "knowing", user: "acme~~ann" });
  assert.equal(issuer.asked.filter((path) => path === "/jwks").length, 2, "the door and the node, once each");
});
