import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { type TestContext, test } from "node:test";
import { missing } from "../servers/install.ts";
import { startServer } from "../servers/start.ts";
import { ask } from "../support/http.ts";
import { type Node, startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";

const skip = missing().includes("nats") && "nats-server is not installed: npm run servers -- --install";
const PARROT = "test/support/parrot.service.ts";
const MEMBERS = ["node-1", "node-2", "node-3"];

interface Cluster {
  gateway: Node;
  nodes: Map<string, Node>;
  start(id: string): Promise<void>;
  stopNats(): Promise<void>;
  startNats(): Promise<void>;
}

/** A gateway and three nodes of one room, each in a process of its own, on a NATS of the test's. The room stores nothing, so nobody uses the MongoDB that a cluster must name. */
const startCluster = async (t: TestContext): Promise<Cluster> => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const env = { TRANSPORTER: nats.url, MONGO_URL: "mongodb://127.0.0.1:1" };
  const nodes = new Map<string, Node>();
  const start = async (id: string) => void nodes.set(id, await startMember(t, id, { modules: [PARROT], env }));
  const [gateway] = await Promise.all([startMember(t, "door", { rooms: ["gateway"], env }), ...MEMBERS.map(start)]);
  await everybody(gateway.url);
  return { gateway, nodes, start, stopNats: () => nats.end(), startNats: () => nats.again() };
};

/** Resolves when the gateway reaches all three. */
const everybody = (url: string) =>
  until(async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(`${url}/api/v1/parrot/all-${n}`)));
    return new Set(answers.map(({ json }) => json.node)).size === MEMBERS.length;
  });

interface Failure {
  status: number;
  code: unknown;
  ms: number;
}

/** Clients that ask all the time: what came of it when they are told to stop. Each request takes the room up to 40 ms. */
const load = (url: string, clients: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const failures: Failure[] = [];
  let [going, answered, slowest] = [true, 0, 0];
  const client = async (name: string) => {
    for (let n = 0; going; n++) {
      const path = n % 3 === 0 ? `told/${name}-${n}?wait=${n % 40}` : `${name}-${n}?wait=${n % 40}`;
      const start = performance.now();
      const { status, code } = await fetchOne(`${url}/api/v1/parrot/${path}`, agent);
      const ms = performance.now() - start;
      answered++;
      slowest = Math.max(slowest, ms);
      if (status !== 200) failures.push({ status, code, ms });
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, n) => client(`c${n}`)));
  return {
    answered: () => answered,
    failures: () => failures.length,
    async stop() {
      going = false;
      await all;
      agent.destroy();
      return { answered, failures, slowest };
    },
  };
};

const fetchOne = (url: string, agent: Agent) =>
  new Promise<{ status: number; code: unknown }>((resolve) => {
    get(url, { agent }, async (res) => {
      const text = Buffer.concat(await res.toArray()).toString();
      resolve({ status: res.statusCode!, code: JSON.parse(text).code });
    }).on("error", (error) => resolve({ status: 0, code: error.message }));
  });

test("every node is restarted in turn under load, and not one request fails", { skip, timeout: 120_000 }, async (t) => {
  const { gateway, nodes, start } = await startCluster(t);
  const traffic = load(gateway.url, 24);
  await until(() => traffic.answered() > 200);
  for (let round = 0; round < 2; round++) {
    for (const id of MEMBERS) {
      const stopped = nodes.get(id)!;
      assert.equal(await stopped.stop("SIGTERM"), 0);
      assert.deepEqual(stopped.errors(), []);
      await start(id);
      await everybody(gateway.url);
    }
  }
  const { answered, failures, slowest } = await traffic.stop();
  assert.deepEqual(failures, []);
  assert.deepEqual(gateway.errors(), []);
  t.diagnostic(`${answered} requests during six restarts, the slowest took ${Math.round(slowest)} ms`);
  assert.ok(answered > 1_000);
});

test("a node is killed under load: what it had taken fails soon, and all else goes on", { skip, timeout: 120_000 }, async (t) => {
  const { gateway, nodes, start } = await startCluster(t);
  const traffic = load(gateway.url, 24);
  await until(() => traffic.answered() > 200);
  await nodes.get("node-2")!.stop("SIGKILL");
  const after = traffic.answered();
  await until(() => traffic.answered() > after + 500);
  const [lost, then] = [traffic.failures(), traffic.answered()];
  await until(() => traffic.answered() > then + 500);
  assert.equal(traffic.failures(), lost, "after a moment nobody asks it any more");
  await start("node-2");
  await everybody(gateway.url);
  const { failures } = await traffic.stop();
  assert.ok(failures.length <= 24, "no more than were on their way");
  for (const { status, code, ms } of failures) {
    assert.deepEqual([status, code], [503, "ROOM_UNAVAILABLE"]);
    assert.ok(ms < 3_000, `it took ${ms} ms`);
  }
});

test("NATS is restarted under load: what fails does so at once as Unavailable, and then all goes on", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { gateway, stopNats, startNats } = await startCluster(t);
  const traffic = load(gateway.url, 8);
  await until(() => traffic.answered() > 100);
  await stopNats();
  const away = await until(async () => {
    const answer = await ask(`${gateway.url}/health/ready`);
    return answer.status === 503 && answer;
  });
  assert.deepEqual(away.json.dependencies, { nats: "does not answer" });
  const { status, json, headers } = await ask(`${gateway.url}/api/v1/parrot/a`);
  assert.deepEqual([status, json.code, headers["retry-after"]], [503, "BUS_UNAVAILABLE", "1"]);
  await startNats();
  await until(async () => (await ask(`${gateway.url}/health/ready`)).status === 200);
  await everybody(gateway.url);
  const { failures } = await traffic.stop();
  for (const { status, code, ms } of failures) {
    assert.equal(status, 503);
    assert.match(String(code), /^(BUS|ROOM)_UNAVAILABLE$/);
    assert.ok(ms < 1_000, `it took ${ms} ms`);
  }
});

test("an error of a room on another node is told by the gateway as one of its own would be", { skip, timeout: 60_000 }, async (t) => {
  const { gateway } = await startCluster(t);
  const told = async (how: string) => {
    const { status, json, text } = await ask(`${gateway.url}/api/v1/parrot/failing?how=${how}`);
    assert.doesNotMatch(text, /secret|users|parrot\.service/);
    return [status, json.code, json.data];
  };
  assert.deepEqual(await told("refused"), [422, "STOCK_SHORT", { available: "3" }]);
  assert.deepEqual(await told("conflict"), [409, "VERSION_CONFLICT", { stream: "deal-1", version: 7 }]);
  assert.deepEqual(await told("later"), [503, "ACTOR_BUSY", { waiting: 256 }]);
  assert.deepEqual(await told("bug"), [500, "INTERNAL_ERROR", undefined]);
  assert.deepEqual(await told("text"), [500, "INTERNAL_ERROR", undefined]);
  const wrong = await ask(`${gateway.url}/api/v1/parrot/failing?how=never`);
  assert.deepEqual([wrong.status, wrong.json.code], [422, "VALIDATION_ERROR"]);
  assert.equal((wrong.json.errors as { field: string }[])[0]!.field, "how");
});

test("ids stay with their nodes; one more node takes its share of them, and gives it back", { skip, timeout: 60_000 }, async (t) => {
  const { gateway, nodes } = await startCluster(t);
  const places = async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(`${gateway.url}/api/v1/parrot/deal-${n}`)));
    return answers.map(({ json }) => String(json.node));
  };
  const three = await places();
  assert.deepEqual(await places(), three);
  await nodes.get("node-3")!.stop();
  const two = await places();
  assert.ok(two.every((node, n) => node === three[n] || three[n] === "node-3"));
});
