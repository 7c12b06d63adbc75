import assert from "node:assert/strict";
import { test } from "node:test";
import { type Granted, withUser } from "../support/clients.ts";
import { until } from "../support/other-node.ts";
import { folder } from "../support/system.ts";

test("signing keys are rotated, logins begin and end, policies change: whoever may goes on all the while", async (t) => {
  const { post, get, login, admin } = await withUser(t, ["trader"], { DATA_DIR: folder(t), RATE_LIMIT: "0" });
  const bobs = async () => {
    await post("users", { id: "bob", name: "Bob", email: "bob@acme.example", roles: ["reader"] }, admin);
    const { json } = await post("auth/users/bob/link", {}, admin);
    await post("auth/redeem", { link: json.link, password: "a dry umbrella in the hall" });
  };
  await bobs();
  const traffic = { count: 0, failed: [] as string[] };
  let ended = false;
  const take = (answer: { status: number; text?: string }) => {
    traffic.count++;
    if (answer.status >= 300) traffic.failed.push(answer.text ?? String(answer.status));
  };
  /** Ann, in a session that goes on by refreshing. */
  const work = async (n: number) => {
    let { accessToken, refreshToken } = (await login("ann@acme.example")).json as Granted;
    for (let round = 0; !ended; round++) {
      take(await post("customers", { id: `c-${n}-${round}`, name: "Acme" }, accessToken));
      take(await get(`customers/c-${n}-${round}`, accessToken));
      if (round % 5 !== 4) continue;
      const next = await post("auth/refresh", { refreshToken });
      take(next);
      ({ accessToken, refreshToken } = next.json as unknown as Granted);
    }
  };
  const clients = [0, 1, 2].map(work);
  for (let round = 0; round < 4; round++) {
    const before = traffic.count;
    assert.equal((await post("auth/signing-keys/rotate", {}, admin)).status, 200);
    const { json } = await login("bob@acme.example", "a dry umbrella in the hall");
    const made = await post("policies", { id: `role-${round}`, grants: ["deals.read:own"] }, admin);
    assert.equal(made.status, 201, made.text);
    assert.equal((await get("customers", json.accessToken)).status, 200);
    assert.equal((await post("auth/users/bob/end-sessions", {}, admin)).status, 200);
    await until(async () => (await get("customers", json.accessToken)).status === 401);
    await until(() => traffic.count > before + 40);
  }
  ended = true;
  await Promise.all(clients);
  assert.deepEqual(traffic.failed, []);
});
