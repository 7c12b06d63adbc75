import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { test } from "node:test";
import { authorization } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import { folder, startSystem } from "../support/system.ts";

const deal = JSON.stringify({ saleParty: "ACME", currency: "GBP", lines: [{ product: "85123A", quantity: "6", rate: "2.55" }] });

/** Opens deals on one connection, one after another, until it is told that the connection ends. Answers their ids. */
const openDeals = async (url: string, opened: (id: string) => void): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let last = false; !last; ) {
    const req = request(`${url}/api/v1/deals`, { method: "POST", agent, headers: { authorization, "Content-Type": "application/json" } });
    req.end(deal);
    const [res] = await once(req, "response");
    const { id } = JSON.parse(Buffer.concat(await res.toArray()).toString("utf8"));
    assert.equal(res.statusCode, 201);
    opened(id);
    last = res.headers.connection === "close";
  }
  agent.destroy();
};

test("a SIGTERM amid writes loses no request that was taken, and no deal that was answered", async (t) => {
  const env = { DATA_DIR: folder(t), RATE_LIMIT: "0" };
  const system = await startSystem(t, env);
  const ids: string[] = [];
  const { promise: busy, resolve } = Promise.withResolvers<void>();
  const opened = (id: string) => {
    if (ids.push(id) === 200) resolve();
  };
  const clients = Array.from({ length: 16 }, () => openDeals(system.url, opened));
  await Promise.race([busy, Promise.all(clients)]);
  const ended = system.stop("SIGTERM");
  await Promise.all(clients); // rejects where an answer is missing or not 201
  assert.equal(await ended, 0);

  const again = await startSystem(t, env);
  const found = await Promise.all(ids.map((id) => ask(`${again.url}/api/v1/deals/${id}`)));
  assert.deepEqual(
    found.filter(({ status }) => status !== 200),
    [],
  );
  assert.ok(ids.length >= 200);
});
