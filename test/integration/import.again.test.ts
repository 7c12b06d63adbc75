import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { sampleBooks } from "../../services/imports/imports.sample.ts";
import { folder, HOUSE, run, startSystem } from "../support/system.ts";

const COMMAND = "services/imports/import.command.ts";
const books = sampleBooks({ lines: 1_500 });

const place = (t: TestContext) => {
  const dir = folder(t);
  const file = join(dir, "books.csv");
  writeFileSync(file, books);
  return { file, env: { DATA_DIR: join(dir, "data") } };
};

/** Imports to the end, and answers what it says without the time and memory that it took. */
const importAll = async (file: string, env: Record<string, string>) => {
  const { code, stdout, stderr } = await run([COMMAND, file], env);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /rejects +0\n/);
  assert.match(stdout, /The reports have it all/);
  return stdout.replace(/(seconds|most memory).*\n/g, "");
};

/** What is on hand of every product, and the revenue of each month, as the API tells it. */
const stateOf = async (t: TestContext, env: Record<string, string>) => {
  const { url, stop } = await startSystem(t, env);
  const get = async (path: string) =>
    (await fetch(`${url}/api/v1/${path}`)).json() as Promise<{ items: { version?: number }[]; next?: string }>;
  const stock: string[] = [];
  for (let after = ""; ; ) {
    const page = await get(`inventory?limit=200${after}`);
    stock.push(...page.items.map(({ version, ...item }) => JSON.stringify(item)));
    if (!page.next) break;
    after = `&after=${page.next}`;
  }
  const revenue = await get("analytics/revenue?by=month");
  await stop();
  assert.ok(stock.length > 100 && revenue.items.length === 12);
  return [...stock, ...revenue.items.map((item) => JSON.stringify(item))].join("\n");
};

test("an import that is run twice changes nothing the second time", async (t) => {
  const { file, env } = place(t);
  const first = await importAll(file, env);
  const before = await stateOf(t, env);
  assert.equal(await importAll(file, env), first);
  assert.deepEqual(await stateOf(t, env), before);
});

test("an import that is killed at any moment, and again, is exact once it has been run to its end", async (t) => {
  const whole = place(t);
  const expected = await importAll(whole.file, whole.env);
  const { file, env } = place(t);
  for (let kill = 0; kill < 4; kill++) {
    const child = spawn(process.execPath, [COMMAND, file], { cwd: HOUSE, env: { ...process.env, ...env }, stdio: "ignore" });
    const bytes = Math.floor(Math.random() * 1_500_000);
    t.diagnostic(`killed after ${bytes} bytes more in the record`);
    await killedLater(child, join(env.DATA_DIR, "deals.db-wal"), bytes);
  }
  assert.equal(await importAll(file, env), expected);
  assert.deepEqual(await stateOf(t, env), await stateOf(t, whole.env));
});

/** Kills the process once it has written so much, if it does not end before. */
const killedLater = async (child: ChildProcess, file: string, bytes: number) => {
  const ended = once(child, "close");
  const size = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const already = size();
  while (child.exitCode === null && size() < already + bytes) await delay(2);
  child.kill("SIGKILL");
  await ended;
};

test("Ctrl+C ends an import after what has begun, and the same command goes on from there", async (t) => {
  const { file, env } = place(t);
  const child = spawn(process.execPath, [COMMAND, file], { cwd: HOUSE, env: { ...process.env, ...env } });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    const begun = said.includes("opening");
    said += text;
    if (!begun && said.includes("opening")) child.kill("SIGINT"); // once: a second one ends it at once
  });
  const [code] = await once(child, "close");
  if (code !== 0) assert.match(said, /goes on from there/);
  await importAll(file, env);
});
