import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCerts } from "../support/certs.ts";
import { fetch } from "../support/credentials.ts";
import { folder, HOUSE, run, startSystem } from "../support/system.ts";
import { deal as aDeal, openDeal, ready } from "../support/trade.ts";

/** Types the lines one after the other; answers what was shown, a value per line. */
const repl = async (data: string, ...lines: string[]) => {
  const { code, stdout, stderr } = await run(["mixins/runtime/repl.ts"], { DATA_DIR: data }, `${lines.join("\n")}\n`);
  assert.equal(code, 0, stderr);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
};

const failing = async (t: TestContext, ...lines: string[]) => {
  const { code, stdout, stderr } = await run(["mixins/runtime/repl.ts", ...lines.flatMap((line) => ["-c", line])], { DATA_DIR: folder(t) });
  assert.notEqual(code, 0);
  return { stdout, stderr };
};

test("without a system, what is typed is done, and shown as JSON", async (t) => {
  const data = folder(t);
  const [opened, got] = await repl(
    data,
    `call v1.deals.open ${JSON.stringify(aDeal("536365"))}`,
    "# a remark",
    "",
    "call v1.deals.get --id 536365",
  );
  assert.deepEqual([opened.id, opened.saleParty, opened.version], ["536365", "acme", 1]);
  assert.deepEqual([got.id, got.version, got.lines], ["536365", 1, opened.lines]);
  const [first] = await repl(data, "history deals 536365");
  assert.deepEqual([first.version, first.events[0].type], [1, "DealOpened"]);
});

test("beside a system that runs, a stream is followed while it grows", async (t) => {
  const data = folder(t);
  const system = await startSystem(t, { DATA_DIR: data });
  await ready(system.url);
  const followed = repl(data, "follow deals late --count 1");
  assert.ok(await openDeal(system.url, "late"));
  const [commit] = await followed;
  assert.deepEqual([commit.stream, commit.version], ["late", 1]);
  const [seen] = await repl(data, "call v1.deals.cancel --id late --reason 'seen from elsewhere'", "call v1.deals.get --id late");
  const deal = (await (await fetch(`${system.url}/api/v1/deals/late`)).json()) as { version: number };
  assert.equal(deal.version, seen.version);
});

test("sagas and dead letters can be listed", async (t) => {
  assert.deepEqual(await repl(folder(t), "sagas", "deadletters"), []);
});

test("a script ends at the first line that fails, and says why", async (t) => {
  const refused = await failing(t, "call v1.deals.get --id nowhere", "actions");
  assert.equal(refused.stdout, "");
  assert.match(refused.stderr, /^DEAL_NOT_FOUND: /);
  assert.match((await failing(t, "dance")).stderr, /^There is no command dance; there are:\n {2}call <action>/);
  assert.match((await failing(t, "history deals")).stderr, /^Usage: history <room> <id>/);
  assert.match((await failing(t, "saga nowhere")).stderr, /^SAGA_NOT_FOUND: /);
});

test("help says what can be typed, without starting anything", async () => {
  const { code, stdout } = await run(["mixins/runtime/repl.ts", "--help"], { DATA_DIR: "/dev/null/nowhere" });
  assert.equal(code, 0);
  for (const name of ["call", "follow", "saga", "deadletters"]) assert.match(stdout, new RegExp(`^ {2}${name}`, "m"));
});

test("at a prompt, ids that look like numbers stay ids", async (t) => {
  const data = folder(t);
  await repl(data, `call v1.deals.open ${JSON.stringify(aDeal("0042"))}`, `call v1.deals.open ${JSON.stringify(aDeal("42"))}`);
  // script(1) of util-linux, which every Linux brings, makes the terminal: without one there is no prompt to test
  const terminal = spawn("script", ["-qfec", `DATA_DIR=${data} ${process.execPath} mixins/runtime/repl.ts`, "/dev/null"], { cwd: HOUSE });
  const answers: [awaited: RegExp, typed: string][] = [
    [/banyan \$/, "call v1.deals.get --id 42\n"],
    [/saleParty: .*acme/, "exit\n"],
  ];
  let shown = "";
  terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    if (answers[0]?.[0].test(shown)) terminal.stdin.write(answers.shift()![1]);
  });
  await once(terminal, "close");
  assert.deepEqual(answers, [], shown);
});

test("without the master key nobody acts as an operator, and each command says so in one line", async (t) => {
  const dir = folder(t);
  const certs = await makeCerts(join(dir, "certs"), ["--nodes", "operator=*"]);
  writeFileSync(join(dir, "books.csv"), "");
  const env = { TRANSPORTER: "tls://127.0.0.1:1", MONGO_URL: "mongodb://127.0.0.1:1/?tls=true", MASTER_KEY: "", ...certs.node("operator") };
  const commands = [
    ["mixins/runtime/repl.ts", "-c", "call v1.deals.list"],
    ["mixins/trust/token.command.ts"],
    ["services/imports/import.command.ts", join(dir, "books.csv")],
  ];
  for (const args of commands) {
    const { code, stderr } = await run(args, { ...env, DATA_DIR: join(dir, "data") });
    assert.deepEqual([code, stderr], [2, "Who acts as an operator in a cluster needs the master key: set MASTER_KEY_FILE\n"], args[0]!);
  }
});
