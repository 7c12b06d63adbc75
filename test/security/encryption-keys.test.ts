import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { type TestContext, test } from "node:test";
import { client, codeOf, type Granted, PASSWORD } from "../support/clients.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder, run, type System, startSystem } from "../support/system.ts";
import { ready } from "../support/trade.ts";

const EMAIL = "person@keys.example";

const start = async (t: TestContext, env: Record<string, string>): Promise<System> => {
  const system = await startSystem(t, { RATE_LIMIT: "0", ...env });
  await ready(system.url);
  return system;
};

test("keys that encrypt keys are rotated while customers are written and read: none of it fails", async (t) => {
  const { url } = await start(t, { DATA_DIR: folder(t) });
  const { api, traffic, end } = underLoad(url);
  for (let round = 1; round <= 3; round++) {
    const before = traffic.count;
    const { json } = await api("auth/encryption-keys/rotate", "POST", {});
    assert.ok((json.keys as object[]).length >= 2);
    await until(async () => (await api("auth/encryption-keys", "GET")).json.settled && traffic.count > before + 50);
  }
  await end();
  assert.deepEqual(traffic.failed, []);
});

test("another master key takes the place of the one before in two starts, and all that was sealed opens as before", async (t) => {
  const data = folder(t);
  const [old, next] = ["the key of all tests", "the next one"].map((text) => Buffer.alloc(32, text).toString("base64"));
  const first = await start(t, { DATA_DIR: data, MASTER_KEY: old! });
  const made = await ask(`${first.url}/api/v1/customers`, { method: "POST", body: { id: "marked", name: "Marked Ltd", taxId: "GB 1" } });
  assert.equal(made.status, 201, made.text);
  const secret = await withSecondFactor(first);
  await first.stop();
  const rotate = async (system: System, authorization: string | undefined) => {
    const api = (path: string, method = "GET") =>
      ask(`${system.url}/api/v1/auth/${path}`, { method, ...(method === "POST" && { body: {} }), headers: { authorization } });
    assert.equal((await api("encryption-keys")).json.settled, false);
    await api("encryption-keys/rotate", "POST");
    await until(async () => (await api("encryption-keys")).json.settled);
  };
  const tokenOf = async (key: string) => {
    const { stdout } = await run(["mixins/trust/token.command.ts"], { DATA_DIR: data, MASTER_KEY: key });
    return `Bearer ${stdout.trim()}`;
  };
  const authorization = await tokenOf(next!);
  const second = await start(t, { DATA_DIR: data, MASTER_KEY: next!, MASTER_KEY_PREVIOUS: old! });
  await rotate(second, authorization);
  await second.stop();
  const third = await startSystem(t, { DATA_DIR: data, MASTER_KEY: next! });
  const get = () => ask(`${third.url}/api/v1/customers/marked`, { headers: { authorization } });
  assert.equal((await get()).json.taxId, "GB 1");
  assert.equal((await client(third).login(EMAIL, PASSWORD, secret())).status, 200);
  await third.stop();
  const lost = await startSystem(t, { DATA_DIR: data, MASTER_KEY: Buffer.alloc(32, "a third one").toString("base64") });
  const refused = await ask(`${lost.url}/api/v1/customers/marked`, {
    headers: { authorization: await tokenOf(Buffer.alloc(32, "a third one").toString("base64")) },
  });
  assert.deepEqual(codeOf(refused), [503, "VAULT_UNAVAILABLE"]);
});

/** Gives a person a password and a second factor; answers how to make its next code. */
const withSecondFactor = async (system: System): Promise<() => string> => {
  const { post, login } = client(system);
  const person = { id: "person", name: "Person", email: EMAIL };
  assert.equal((await ask(`${system.url}/api/v1/users`, { method: "POST", body: person })).status, 201);
  const { link } = (await ask(`${system.url}/api/v1/auth/users/person/link`, { method: "POST", body: {} })).json;
  await post("auth/redeem", { link, password: PASSWORD });
  const { accessToken } = (await login(EMAIL)).json as Granted;
  const secret = String((await post("auth/second-factor", { password: PASSWORD }, accessToken)).json.secret);
  const confirmed = await post("auth/second-factor/confirm", { code: codeAt(secret, Date.now()) }, accessToken);
  assert.equal(confirmed.status, 200, confirmed.text);
  return () => codeAt(secret, Date.now() + 30_000);
};

/** RFC 6238, as an authenticator has it. */
const codeAt = (secret: string, at: number): string => {
  const bits = Array.from(secret, (c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac("sha1", Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2))))
    .update(counter)
    .digest();
  return String((mac.readUInt32BE(mac.at(-1)! & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
};

/** Clients that create, change and read customers with contacts, until `end`. */
const underLoad = (url: string) => {
  const traffic = { count: 0, failed: [] as string[] };
  let ended = false;
  const api = (path: string, method: string, body?: object, headers = {}) => ask(`${url}/api/v1/${path}`, { method, body, headers });
  const trade = async (client: number) => {
    for (let n = 0; !ended; n++) {
      const [id, taxId] = [`c-${client}-${n}`, `T${client}X${n}`];
      const answers = [
        await api("customers", "POST", { id, name: id, taxId, contacts: [{ name: `Ann ${n}` }] }),
        await api(`customers/${id}`, "PATCH", { contacts: [{ name: `Bob ${n}` }] }, { "If-Match": "*" }),
        await api(`customers/c-${client}-${n >> 1}`, "GET"),
        await api(`customers?taxId=${taxId}`, "GET"),
      ];
      for (const { status, text } of answers) {
        traffic.count++;
        if (status >= 300) traffic.failed.push(text);
      }
      const [, , , { json }] = answers as [unknown, unknown, unknown, { json: { items?: { contacts: { name: string }[] }[] } }];
      if (json.items?.[0]?.contacts[0]?.name !== `Bob ${n}`) traffic.failed.push(`${id} is not found as it was written`);
    }
  };
  const clients = [0, 1, 2, 3].map(trade);
  const end = () => {
    ended = true;
    return Promise.all(clients);
  };
  return { api, traffic, end };
};
