import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { connect } from "nats";
import { missing } from "../../test/servers/install.ts";
import { startServer } from "../../test/servers/start.ts";
import { busOf, knows, startBroker } from "../../test/support/brokers.ts";
import { until } from "../../test/support/other-node.ts";
import parrot from "../../test/support/parrot.service.ts";
import { askDependencies } from "../runtime/health.ts";

const skip = missing().includes("nats") && "nats-server is not installed: npm run servers -- --install";
const SAY = "v1.parrot.say";
const AT_ONCE = 2_500; // ms; a call's own time is ten times that

/** What a call came to, and after how many milliseconds. */
const outcome = async (call: Promise<unknown>) => {
  const start = performance.now();
  const { answer, error } = await call.then(
    (answer) => ({ answer, error: undefined }),
    (error: { type: string; code: number; retryable: boolean }) => ({ answer: undefined, error }),
  );
  return { answer, type: error?.type, code: error?.code, retryable: error?.retryable, ms: performance.now() - start };
};

/** A NATS, a node that calls over it, and one with the room. */
const pair = async (t: TestContext) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "caller", []);
  const room = await startBroker(t, nats.url, "room");
  await knows(caller, SAY, 1);
  return { nats, caller, room };
};

test("while NATS is away, calls to other nodes fail at once and those within the node go on; afterwards all goes on by itself", {
  skip,
}, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "caller", [{ ...parrot, name: "cage" }]);
  await startBroker(t, nats.url, "room");
  await knows(caller, SAY, 1);
  assert.deepEqual(await caller.call(SAY, { id: "a" }), { id: "a", node: "room" });
  assert.deepEqual(await askDependencies(), { nats: true });

  await nats.end();
  await until(() => !busOf(caller).connected);
  for (let n = 0; n < 3; n++) {
    const { type, code, retryable, ms } = await outcome(caller.call(SAY, { id: "a" }));
    assert.deepEqual({ type, code, retryable }, { type: "BUS_UNAVAILABLE", code: 503, retryable: true });
    assert.ok(ms < 100, `it took ${ms} ms`);
  }
  assert.deepEqual(await caller.call("v1.cage.say", { id: "b" }), { id: "b", node: "caller" });
  assert.deepEqual(await askDependencies(), { nats: false }, "a gateway that is cut off is not ready");

  await nats.again();
  await until(async () => (await outcome(caller.call(SAY, { id: "a" }))).answer);
  assert.deepEqual(await askDependencies(), { nats: true });
});

test("what was on its way when NATS went away fails at once, as something that may have happened", { skip }, async (t) => {
  const { nats, caller } = await pair(t);
  const calls = Array.from({ length: 20 }, (_, n) => outcome(caller.call(SAY, { id: `a-${n}`, wait: 9_000 })));
  await until(() => caller.transit!.pendingRequests.size === 20);
  await nats.end("SIGKILL");
  for (const { type, ms } of await Promise.all(calls)) {
    assert.equal(type, "BUS_UNAVAILABLE");
    assert.ok(ms < AT_ONCE, `it took ${ms} ms`);
  }
  assert.equal(caller.transit!.pendingRequests.size, 0);
});

test("a NATS that hangs is noticed within seconds, not at the end of a call's time", { skip }, async (t) => {
  const { nats, caller } = await pair(t);
  nats.signal("SIGSTOP");
  const said = await until(async () => {
    const asked = await outcome(caller.call(SAY, { id: "a" }));
    return asked.type !== undefined && asked; // one may come through before it stands still
  });
  assert.equal(said.type, "BUS_UNAVAILABLE");
  assert.ok(said.ms < 5_000, `it took ${said.ms} ms`);
  nats.signal("SIGCONT");
  await until(async () => (await outcome(caller.call(SAY, { id: "a" }))).answer);
});

test("what was sent to a node whose connection broke without a word fails soon, and when it is back it is asked again", {
  skip,
}, async (t) => {
  const { caller, room } = await pair(t);
  const sent = outcome(caller.call(SAY, { id: "a", wait: 9_000 }));
  await until(() => caller.transit!.pendingRequests.size === 1);
  busOf(room).connected = false;
  await busOf(room).client!.close(); // without a word, as a crash does; it opens another one by itself
  const { type, ms } = await sent;
  assert.equal(type, "REQUEST_REJECTED");
  assert.ok(ms < AT_ONCE, `it took ${ms} ms`);
  await until(async () => (await outcome(caller.call(SAY, { id: "c" }))).answer);
});

test("a node that lost its connection for a moment tells the others that what they sent is lost, and is asked again", {
  skip,
}, async (t) => {
  const { caller, room } = await pair(t);
  const sent = outcome(caller.call(SAY, { id: "a", wait: 9_000 }));
  await until(() => caller.transit!.pendingRequests.size === 1);
  await busOf(room).client!.reconnect();
  const { type, ms } = await sent;
  assert.equal(type, "REQUEST_REJECTED");
  assert.ok(ms < AT_ONCE, `it took ${ms} ms`);
  await until(async () => (await outcome(caller.call(SAY, { id: "b" }))).answer);
});

test("an answer that is ready while its node is cut off is given when it is back", { skip }, async (t) => {
  const { caller, room } = await pair(t);
  const sent = outcome(caller.call(SAY, { id: "a", wait: 100 }));
  await until(() => caller.transit!.pendingRequests.size === 1);
  const sending = t.mock.method(busOf(room), "prepublish");
  busOf(room).connected = false; // as it is between the loss and the return
  await until(() => sending.mock.calls.some(({ arguments: [packet] }) => (packet as unknown as { type: string }).type === "RES"));
  assert.equal(caller.transit!.pendingRequests.size, 1);
  busOf(room).connected = true;
  await busOf(room).client!.reconnect();
  assert.deepEqual((await sent).answer, { id: "a", node: "room" });
});

test("a call ends when its time is over", { skip }, async (t) => {
  const { caller } = await pair(t);
  const [short, long] = await Promise.all([
    outcome(caller.call(SAY, { id: "a", wait: 2_000 }, { timeout: 200 })),
    outcome(caller.call(SAY, { id: "a", wait: 600 }, { timeout: 5_000 })),
  ]);
  assert.deepEqual([short.type, short.code], ["REQUEST_TIMEOUT", 504]);
  assert.ok(short.ms >= 200 && short.ms < 600, `it took ${short.ms} ms`);
  assert.deepEqual(long.answer, { id: "a", node: "room" });
  const within = await outcome(caller.call("v1.parrot.tell", { id: "a", wait: 2_000 }, { timeout: 200 }));
  assert.equal(within.type, "REQUEST_TIMEOUT");
});

test("packets whose sender is no id of a node do no harm", { skip }, async (t) => {
  const { nats, caller } = await pair(t);
  const stranger = await connect({ servers: nats.url });
  t.after(() => stranger.close());
  let losses = 0;
  caller.localBus.on("$transporter.disconnected", () => losses++);
  const senders = ["a b", "", "a\r\nPUB MOL-tested.DISCONNECT 2\r\n{}", "a.>", "*", "x".repeat(65), 7, null, { a: 1 }, undefined];
  for (const sender of senders) {
    for (const packet of ["INFO", "DISCOVER", "HEARTBEAT", "PING", "DISCONNECT"]) {
      const payload = { ver: "5", sender, services: [{ name: "parrot", version: 1, fullName: "v1.parrot", actions: {} }], seq: 9 };
      stranger.publish(`MOL-tested.${packet}.stranger`, JSON.stringify(payload));
      stranger.publish(`MOL-tested.${packet}.caller.caller.stranger`, JSON.stringify(payload));
    }
    stranger.publish("MOL-tested.REQ.room.room.stranger", JSON.stringify({ ver: "5", sender, id: "1", action: SAY, params: { id: "a" } }));
  }
  for (const text of ["", "{", "null", "[]", '"a"', "7"]) stranger.publish("MOL-tested.INFO.stranger", text);
  await stranger.flush();
  for (let n = 0; n < 20; n++) assert.deepEqual(await caller.call(SAY, { id: `a-${n}` }), { id: `a-${n}`, node: "room" });
  const nodes = (caller.registry.getNodeList({}) as { id: string }[]).map(({ id }) => id);
  assert.deepEqual(nodes.sort(), ["caller", "room"]);
  assert.equal(losses, 0);
});

test("systems of two namespaces on one NATS do not see each other", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "node", []);
  const room = await startBroker(t, nats.url, "node", [parrot], { namespace: "other" });
  assert.equal((await outcome(caller.call(SAY, { id: "a" }))).type, "SERVICE_NOT_FOUND");
  assert.deepEqual(await room.call(SAY, { id: "a" }), { id: "a", node: "node" });
});

test("a node starts before NATS does, and serves when it is there", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  await nats.end();
  const starting = startBroker(t, nats.url, "early");
  await nats.again(); // it takes a while, in which the node finds nobody
  const caller = await startBroker(t, nats.url, "caller", []);
  await starting;
  await knows(caller, SAY, 1);
  assert.deepEqual(await caller.call(SAY, { id: "a" }), { id: "a", node: "early" });
});

test("a node stops while NATS is away", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const room = await startBroker(t, nats.url, "room");
  await nats.end();
  await until(() => !busOf(room).connected);
  const start = performance.now();
  await busOf(room).leave(5_000);
  await room.stop();
  assert.ok(performance.now() - start < 3_000);
});

test("a call or an answer that is larger than NATS takes is refused, and harms no other", { skip }, async (t) => {
  const { caller } = await pair(t);
  const others = Array.from({ length: 10 }, (_, n) => caller.call(SAY, { id: `a-${n}` }));
  const large = await outcome(caller.call("v1.parrot.repeat", { text: "x".repeat(1_100_000), times: 1 }));
  assert.deepEqual([large.type, large.code], ["CALL_TOO_LARGE", 413]);
  const answer = await outcome(caller.call("v1.parrot.repeat", { text: "x".repeat(1_000), times: 2_000 }));
  assert.deepEqual([answer.type, answer.code], ["ANSWER_TOO_LARGE", 413]);
  await Promise.all(others);
  assert.equal(((await caller.call("v1.parrot.repeat", { text: "x".repeat(1_000), times: 900 })) as { text: string }).text.length, 900_000);
});

test("a node that leaves is not asked any more, answers what it has taken, and is not called back by what changes on it", {
  skip,
}, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const caller = await startBroker(t, nats.url, "caller", []);
  const room = await startBroker(t, nats.url, "room", [parrot, { ...parrot, name: "cage" }]);
  await knows(caller, SAY, 1);
  const taken = outcome(caller.call(SAY, { id: "a", wait: 800 }));
  await until(() => caller.transit!.pendingRequests.size === 1);
  let answered = false;
  void taken.then(() => {
    answered = true;
  });
  const left = busOf(room).leave(5_000);
  await knows(caller, SAY, 0);
  assert.equal(answered, false);
  await left;
  assert.deepEqual((await taken).answer, { id: "a", node: "room" });

  let news = 0;
  caller.localBus.on("$node.updated", () => news++);
  await room.destroyService(room.getLocalService({ name: "cage", version: 1 }));
  await until(() => news > 0);
  assert.equal((await outcome(caller.call(SAY, { id: "a" }))).type, "SERVICE_NOT_AVAILABLE");
});

test("nodes that have nothing to say to each other stay known, and one whose heart does not beat is given up", { skip }, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const hearts = { heartbeatInterval: 1, heartbeatTimeout: 3 };
  const caller = await startBroker(t, nats.url, "caller", [], hearts);
  const room = await startBroker(t, nats.url, "room", [parrot], hearts);
  await knows(caller, SAY, 1);
  let losses = 0;
  caller.localBus.on("$node.disconnected", () => losses++);
  for (let beats = 0; beats < 6; beats++) await new Promise((done) => setTimeout(done, 1_000));
  assert.equal(losses, 0);
  assert.deepEqual(await caller.call(SAY, { id: "a" }), { id: "a", node: "room" });
  room.registry.discoverer.stopHeartbeatTimers();
  await knows(caller, SAY, 0);
  room.registry.discoverer.startHeartbeatTimers();
  await knows(caller, SAY, 1);
});

test("many calls of one moment share messages, and keep their own answers", { skip }, async (t) => {
  const { caller } = await pair(t);
  const before = busOf(caller).client!.stats().outMsgs;
  const ids = Array.from({ length: 20 }, (_, n) => `a-${n}`);
  const answers = await Promise.all(ids.map((id) => caller.call(SAY, { id })));
  assert.deepEqual(
    answers,
    ids.map((id) => ({ id, node: "room" })),
  );
  assert.ok(busOf(caller).client!.stats().outMsgs - before < 5);
});
