import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { sampleBooks } from "../../services/imports/imports.sample.ts";
import { fetch } from "../support/credentials.ts";
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
  const start = performance.now();
  const expected = await importAll(whole.file, whole.env);
  const took = performance.now() - start;
  const { file, env } = place(t);
  let killed = 0;
  for (let n = 0; n < 4; n++) {
    const child = spawn(process.execPath, [COMMAND, file], { cwd: HOUSE, env: { ...process.env, ...env }, stdio: "ignore" });
    const after = Math.round((0.2 + Math.random() * 0.7) * took);
    if (await killedAfter(child, after)) killed++;
    t.diagnostic(`${child.signalCode ? "killed" : "had ended"} after ${after} of ${Math.round(took)} ms`);
  }
  assert.ok(killed > 0);
  assert.equal(await importAll(file, env), expected);
  assert.deepEqual(await stateOf(t, env), await stateOf(t, whole.env));
});

/** Kills the process after so many milliseconds, and says whether it had not ended before. */
const killedAfter = async (child: ChildProcess, milliseconds: number): Promise<boolean> => {
  const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
  await once(child, "close");
  clearTimeout(timer);
  return child.signalCode === "SIGKILL";
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
