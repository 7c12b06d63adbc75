import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { missing } from "../../test/servers/install.ts";
import { startServer } from "../../test/servers/start.ts";
import { knows, startBroker } from "../../test/support/brokers.ts";
import { Conflict, Rejected, Unavailable } from "../core/errors.ts";
import { action } from "../core/params.ts";

const skip = missing().includes("nats") && "nats-server is not installed: npm run servers -- --install";
const [SAY, FAIL] = ["v1.parrot.say", "v1.parrot.fail"];

const errorOf = (broker: ServiceBroker, how: string, options = {}) =>
  broker.call(FAIL, { how }, options).then(
    () => assert.fail("it did not fail"),
    (error: Error & { code: number; type: string; retryable: boolean; data: unknown; nodeID: string }) => error,
  );

test("an error is on the caller's node what it was where it was thrown", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "caller", []);
  await startBroker(t, nats.url, "room");
  await knows(caller, FAIL, 1);
  const told = async (how: string) => {
    const error = await errorOf(caller, how);
    const { message, code, type, retryable, data, nodeID } = error;
    return [error.constructor, { message, code, type, retryable, data, nodeID }];
  };
  const nodeID = "room";
  assert.deepEqual(await told("refused"), [
    Rejected,
    { message: "Only 3 are free", code: 422, type: "STOCK_SHORT", retryable: false, data: { available: "3" }, nodeID },
  ]);
  assert.deepEqual(await told("conflict"), [
    Conflict,
    {
      message: "Version 7 of deal-1 is taken",
      code: 409,
      type: "VERSION_CONFLICT",
      retryable: true,
      data: { stream: "deal-1", version: 7 },
      nodeID,
    },
  ]);
  assert.deepEqual(await told("later"), [
    Unavailable,
    { message: "Too many wait already", code: 503, type: "ACTOR_BUSY", retryable: true, data: { waiting: 256 }, nodeID },
  ]);
  assert.doesNotMatch((await errorOf(caller, "refused")).stack!, /parrot/, "where a refusal began is nobody's business");
  assert.match((await errorOf(caller, "bug")).stack!, /parrot/, "where a mistake is, the caller's log says");
});

test("a call that reaches a node as it stops goes to another one", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "caller", []);
  const first = await startBroker(t, nats.url, "first");
  await startBroker(t, nats.url, "second");
  await knows(caller, SAY, 2);
  (first as unknown as { stopping: boolean }).stopping = true; // as a broker that stops, before the caller has heard of it
  const endpoints = (caller.registry.getActionEndpoints(SAY) as unknown as { endpoints: { id: string; state: boolean }[] }).endpoints;
  const toFirst = endpoints.find(({ id }) => id === "first")!;
  await assert.rejects(caller.call(SAY, { id: "a" }, { nodeID: "first" }), { type: "SERVICE_NOT_AVAILABLE" }, "who names a node means it");
  const ids = Array.from({ length: 20 }, (_, n) => `a-${n}`);
  const moved = Promise.all(ids.map((id) => caller.call(SAY, { id }).catch((error: { type: string }) => error.type)));
  toFirst.state = false; // what the INFO does that comes before the answer
  assert.deepEqual(
    await moved,
    ids.map((id) => ({ id, node: "second" })),
  );
  (first as unknown as { stopping: boolean }).stopping = false;
});

/** Calls it, over whoever is chosen, until one node has been found out to be sick. */
const storm = async (caller: ServiceBroker, how: string, times: number) => {
  const types = new Map<string, number>();
  for (let n = 0; n < times; n++) {
    const { type } = await errorOf(caller, how);
    types.set(type, (types.get(type) ?? 0) + 1);
  }
  return types;
};

test("a node whose store is away is not asked for a while, and the others are", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const sick: ServiceSchema = {
    name: "store",
    version: 1,
    actions: {
      read: action({
        visibility: "public",
        params: { id: "string" },
        returns: {},
        handler() {
          throw new Unavailable("STORE_UNAVAILABLE", "The store does not answer");
        },
      }),
    },
  };
  const well: ServiceSchema = {
    name: "store",
    version: 1,
    actions: { read: action({ visibility: "public", params: { id: "string" }, returns: {}, handler: () => "read" }) },
  };
  const caller = await startBroker(t, nats.url, "caller", []);
  await startBroker(t, nats.url, "sick", [sick]);
  await startBroker(t, nats.url, "well", [well]);
  await knows(caller, "v1.store.read", 2);
  const read = (n: number) => caller.call("v1.store.read", { id: `a-${n}` }).catch(({ type }: { type: string }) => type);
  const seen: unknown[] = [];
  for (let n = 0; n < 200; n++) seen.push(await read(n));
  assert.deepEqual([...new Set(seen)].sort(), ["STORE_UNAVAILABLE", "read"]);
  assert.deepEqual([...new Set(seen.slice(100))], ["read"], "ids of the sick node are served by the other one");
});

test("refusals, conflicts and busy actors are answers: they open no breaker", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "caller", []);
  await startBroker(t, nats.url, "room");
  await knows(caller, FAIL, 1);
  assert.deepEqual([...(await storm(caller, "refused", 60))], [["STOCK_SHORT", 60]]);
  assert.deepEqual([...(await storm(caller, "conflict", 60))], [["VERSION_CONFLICT", 60]]);
  assert.deepEqual([...(await storm(caller, "later", 60))], [["ACTOR_BUSY", 60]]);
  const types = await storm(caller, "store", 60);
  assert.deepEqual([...types.keys()], ["STORE_UNAVAILABLE", "SERVICE_NOT_AVAILABLE"], "the only node is left alone for a while, too");
});
