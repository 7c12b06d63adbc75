import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { freePort } from "../servers/start.ts";
import { until } from "../support/other-node.ts";
import { folder, HOUSE, run, startSystem } from "../support/system.ts";

const HANDS = ["--import", "./mixins/runtime/needs-node-26.js", "start.ts"];
const statusOf = (url: string) => fetch(url).then((answer) => answer.status);

test("a node is given its rooms by name, whatever ROOMS says", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t), ROOMS: "gateway" }, ["deals", "inventory"]);
  assert.deepEqual(system.serving.rooms, ["deals", "inventory"]);
  assert.equal(await system.stop(), 0);
});

test("a room that does not exist is named in one line, with those that do", async (t) => {
  const { code, stdout, stderr } = await run([...HANDS, "deals", "sails"], { DATA_DIR: folder(t) });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^There is no room sails; there are [^\n]*deals[^\n]*\n$/);
});

test("--help says how nodes are started, and starts none; what it does not know it says", async () => {
  const help = await run([...HANDS, "--help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /npm run node -- deals inventory/);
  const { code, stderr } = await run([...HANDS, "--rooms=deals"]);
  assert.equal(code, 2);
  assert.match(stderr, /--rooms/);
});

test("a node without a door tells its health and figures on STATUS_PORT", async (t) => {
  const port = await freePort();
  const { serving } = await startSystem(t, { DATA_DIR: folder(t), STATUS_PORT: String(port) }, ["deals"]);
  assert.equal(serving.status, `http://127.0.0.1:${port}`);
  assert.equal(await statusOf(`${serving.status}/health/live`), 200);
  const ready = await fetch(`${serving.status}/health/ready`);
  assert.equal(ready.status, 200);
  assert.deepEqual(((await ready.json()) as { rooms: object }).rooms, { deals: "started" });
  assert.match(await (await fetch(`${serving.status}/metrics`)).text(), /^process_memory_rss \d+$/m);
  assert.equal(await statusOf(`${serving.status}/elsewhere`), 404);
  const { code, stderr } = await run([...HANDS, "deals"], { DATA_DIR: folder(t), STATUS_PORT: String(port) });
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`^STATUS_PORT: ${port} on 127.0.0.1 is taken[^\\n]*\\n$`));
});

test("the door's figures are told on STATUS_PORT, too", async (t) => {
  const port = await freePort();
  const { url, serving } = await startSystem(t, { DATA_DIR: folder(t), STATUS_PORT: String(port) });
  assert.equal(await statusOf(`${url}/health/ready`), 200);
  await until(async () => /^http_answers_total\{status="200"\} [1-9]/m.test(await (await fetch(`${serving.status}/metrics`)).text()));
});

test("whoever is told to stop denies readiness at once, and is alive until it has finished", async (t) => {
  const port = await freePort();
  const system = await startSystem(t, { DATA_DIR: folder(t), STATUS_PORT: String(port) });
  const ended = system.stop(); // the door waits a moment for whoever is about to send: time enough to look
  await until(async () => (await statusOf(`${system.serving.status}/health/ready`)) === 503);
  assert.equal(await statusOf(`${system.serving.status}/health/live`), 200);
  assert.equal(await ended, 0);
});

test("a node that is told to stop while it starts stops when it has started", async (t) => {
  const port = await freePort();
  const env = { ...process.env, PORT: "0", STATUS_PORT: String(port), DATA_DIR: folder(t) };
  const child = spawn(process.execPath, HANDS, { cwd: HOUSE, env, stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  const ready = () => statusOf(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
  assert.equal(await until(ready), 503);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [0, null]);
});

const APART = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
const CANNOT = spawnSync("unshare", [...APART, "true"]).status !== 0 && "this machine lets nobody be a first process (unshare)";

test("a container's first process ends on SIGTERM as any other: no init is needed", { skip: CANNOT }, async (t) => {
  const env = { ...process.env, PORT: "0", LOG_LEVEL: "info", DATA_DIR: folder(t) };
  const child = spawn("unshare", [...APART, process.execPath, ...HANDS], { cwd: HOUSE, env, stdio: "pipe" });
  t.after(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  await until(() => lines.some((line) => line.includes('"event":"serving"')));
  const first = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  assert.match(readFileSync(`/proc/${first}/status`, "utf8"), /^NSpid:\s*\d+.*\t1$/m);
  process.kill(Number(first), "SIGTERM");
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.match(lines.join(), /"event":"stopping","signal":"SIGTERM"/);
});
