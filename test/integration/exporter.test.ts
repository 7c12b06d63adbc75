import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { freePort, startServer } from "../servers/start.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { HOUSE, run } from "../support/system.ts";

const COMMAND = "mixins/runtime/exporter.command.ts";
const PARROT = { modules: ["test/support/parrot.service.ts"] };

test("the exporter tells the nodes and endpoints of the cluster, and those that went are not told any more", {
  skip: without("nats"),
  timeout: 60_000,
}, async (t) => {
  const nats = await startServer("nats");
  t.after(() => nats.stop());
  const env = { TRANSPORTER: nats.url, MONGO_URL: "mongodb://127.0.0.1:1" };
  const port = await freePort();
  const { NODE_TEST_CONTEXT, ...own } = process.env;
  const exporter = spawn(process.execPath, [COMMAND, "--port", String(port)], {
    cwd: HOUSE,
    env: { ...own, ...env, NODE_ID: "exporter", LOG_LEVEL: "warn" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = once(exporter, "exit");
  t.after(async () => {
    exporter.kill("SIGKILL");
    await ended;
  });
  const [, second] = await Promise.all([startMember(t, "one", { ...PARROT, env }), startMember(t, "two", { ...PARROT, env })]);
  const told = async () => (await ask(`http://127.0.0.1:${port}/metrics`).catch(() => undefined))?.text ?? "";
  const saying = (line: RegExp) =>
    until(async () => {
      const text = await told();
      return line.test(text) && text;
    });
  const text = await saying(/^moleculer_action_endpoints_total\{action="v1.parrot.say"\} 2$/m);
  assert.match(text, /^moleculer_nodes_total 3$/m);
  assert.match(text, /^moleculer_service_endpoints_total\{service="parrot",version="1"\} 2$/m);
  assert.match(text, /^moleculer_nodes\{nodeID="two",/m);
  assert.doesNotMatch(text, /moleculer_req_/);
  await second.stop();
  await saying(/^moleculer_action_endpoints_total\{action="v1.parrot.say"\} 1$/m);
  assert.equal((await ask(`http://127.0.0.1:${port}/`)).status, 404);
  exporter.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
});

test("without a cluster there is nothing to export, and it says so", async () => {
  const env = { TRANSPORTER: "", MONGO_URL: "" };
  const { code, stderr } = await run([COMMAND], env);
  assert.deepEqual([code, stderr], [2, "TRANSPORTER is not set: there is no cluster to tell of\n"]);
  assert.match((await run([COMMAND, "--port", "many"], env)).stderr, /^--port must be a port, not "many"\n$/);
  assert.match((await run([COMMAND, "--help"], env)).stdout, /^npm run exporter/);
});
