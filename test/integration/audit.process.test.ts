import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { bearer } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/other-node.ts";
import { folder, run, startSystem } from "../support/system.ts";

const COMMAND = ["--import", "./mixins/runtime/needs-node-26.js", "services/audit/audit.command.ts"];
const audit = (data: string, ...args: string[]) => run([...COMMAND, ...args], { DATA_DIR: data });

interface Line {
  day: string;
  n: number;
  id: string;
  action: string;
  result: string;
  resource?: string;
  version?: number;
  user?: string;
  from?: string;
  code?: string;
  request?: string;
}

const api = async (url: string, roles?: string[], id = "tester") => {
  const authorization = await bearer(id, roles);
  return (path: string, body?: unknown, headers: object = {}) =>
    ask(`${url}/api/v1/${path}`, { body, headers: { authorization, ...headers } });
};

const trail = async (url: string, query = ""): Promise<Line[]> =>
  ((await (await api(url, ["auditor"], "olga"))(`audit?limit=1000${query}`)).json.items ?? []) as Line[];

const place = ({ day, n }: { day: string; n: number }) => `${day}/${n}`;

/** A system in which something was done and something refused, stopped again. */
const trailOf = async (t: TestContext) => {
  const data = folder(t);
  const system = await startSystem(t, { DATA_DIR: data, RATE_LIMIT: "0" });
  const post = await api(system.url);
  for (let i = 0; i < 30; i++) assert.equal((await post("customers", { id: `c${i}`, name: `C ${i}` })).status, 201);
  const lines = await until(async () => {
    const found = await trail(system.url, "&room=customers&result=accepted");
    return found.length === 30 && found;
  });
  return { data, system, lines, post };
};

test("over HTTP the trail has who, from where and why not, for what rooms refused and for what never came to one", async (t) => {
  const { system, post, lines } = await trailOf(t);
  const [latest] = lines;
  assert.deepEqual([latest!.resource, latest!.user, latest!.from, latest!.version], ["customers/c29", "tester", "127.0.0.1", 1]);
  await ask(`${system.url}/api/v1/customers`, { body: { name: "X" }, headers: { authorization: undefined, "X-Request-Id": "nobody-1" } });
  await (await api(system.url, ["reader"], "rita"))("customers", { name: "X" });
  await post("customers", { id: "c1", name: "again" });
  await post("customers", {});
  await ask(`${system.url}/api/v1/auth/login`, {
    body: { email: "eve@acme.example", password: "not the right one" },
    headers: { authorization: undefined },
  });
  const refused = await until(async () => {
    const found = await trail(system.url, "&result=refused");
    return found.length === 5 && found;
  });
  const told = refused.map(({ action, code, user, from }) => `${action} ${code} ${user} ${from}`).sort();
  assert.deepEqual(told, [
    "v1.auth.login LOGIN_FAILED undefined 127.0.0.1",
    "v1.customers.create DOCUMENT_EXISTS tester 127.0.0.1",
    "v1.customers.create LOGIN_REQUIRED undefined 127.0.0.1",
    "v1.customers.create NOT_ALLOWED rita 127.0.0.1",
    "v1.customers.create VALIDATION_ERROR tester 127.0.0.1",
  ]);
  assert.equal(refused.find(({ code }) => code === "LOGIN_REQUIRED")!.request, "nobody-1");
  const csv = await (await api(system.url, ["auditor"]))("audit?room=customers&limit=3", undefined, { Accept: "text/csv" });
  assert.equal(csv.text.trim().split("\r\n").length, 4);
  assert.ok(!JSON.stringify(await trail(system.url)).includes("not the right one"));
});

test("somebody who logs in, gets a key or another role is in the trail", async (t) => {
  const data = folder(t);
  const { url } = await startSystem(t, { DATA_DIR: data, RATE_LIMIT: "0" });
  const admin = await api(url);
  await admin("users", { id: "ann", name: "Ann", email: "ann@acme.example", roles: ["trader"] });
  const { link } = (await admin("auth/users/ann/link", {})).json;
  const password = "a wet umbrella in the hall";
  await ask(`${url}/api/v1/auth/redeem`, { body: { link, password }, headers: { authorization: undefined } });
  const { json } = await ask(`${url}/api/v1/auth/login`, {
    body: { email: "ann@acme.example", password },
    headers: { authorization: undefined },
  });
  const key = await ask(`${url}/api/v1/auth/keys`, {
    body: { password, name: "till", roles: ["trader"] },
    headers: { authorization: `Bearer ${json.accessToken}` },
  });
  assert.equal(key.status, 201, key.text);
  const { headers } = await admin("users/ann");
  await ask(`${url}/api/v1/users/ann`, { method: "PATCH", body: { roles: ["reader"] }, headers: { "If-Match": headers.etag! } });
  const wanted = [
    "v1.auth.login ann",
    "v1.auth.createKey ann",
    "v1.auth.redeem ann",
    "v1.auth.invite tester",
    "users.UserSaved tester",
    "auth.AccountSaved ann",
  ];
  const lines = await until(async () => {
    const found = await trail(url);
    const told = found.map(({ action, user }) => `${action} ${user}`);
    return wanted.every((one) => told.includes(one)) && found.filter(({ action }) => action === "users.UserSaved").length >= 2 && found;
  });
  const secrets = [password, String(link), String(json.refreshToken), String(key.json.key)];
  const whole = await audit(data, "export");
  for (const secret of secrets) assert.ok(!whole.stdout.includes(secret) && !JSON.stringify(lines).includes(secret));
});

test("audit:verify finds nothing in a trail as it is, while the system runs and after", async (t) => {
  const { data, system } = await trailOf(t);
  const running = await audit(data, "verify");
  assert.deepEqual([running.code, running.stderr], [0, ""], running.stdout);
  assert.match(running.stdout, /^\d+ entries, \d+ signatures checked, 0 findings/);
  const roots = await (await api(system.url, ["auditor"]))("audit/roots");
  await system.stop();
  const kept = join(folder(t), "roots.json");
  writeFileSync(kept, roots.text);
  const whole = await audit(data, "verify", "--roots", kept, "--key", String(roots.json.key), "--each");
  assert.equal(whole.code, 0, whole.stdout);
});

test("audit:verify names what was changed in the trail's file", {
  skip: process.env.MONGO_URL ? "is about the files of one process; audit.mongo.test.ts changes what is on MongoDB" : false,
}, async (t) => {
  const { data, system, lines } = await trailOf(t);
  const roots = await (await api(system.url, ["auditor"]))("audit/roots");
  await system.stop();
  const kept = join(folder(t), "roots.json");
  writeFileSync(kept, roots.text);
  const spoil = async (sql: string, ...values: (string | number)[]) => {
    const copy = folder(t);
    copyFileSync(join(data, "audit.db"), join(copy, "audit.db"));
    const db = new DatabaseSync(join(copy, "audit.db"));
    assert.ok(db.prepare(sql).run(...values).changes > 0);
    db.close();
    return audit(copy, "verify", "--key", String(roots.json.key), "--roots", kept);
  };
  const { day, n } = lines[10]!;
  const changed = await spoil("UPDATE audit SET body = replace(body, 'tester', 'nobody') WHERE day = ? AND n = ?", day, n);
  assert.deepEqual(
    [changed.code, changed.stdout.split("\n")[0]],
    [1, `${place({ day, n })}: changed: it is not what its hash was made of`],
  );
  const gone = await spoil("DELETE FROM audit WHERE day = ? AND n = ?", day, n);
  assert.deepEqual([gone.code, gone.stdout.split("\n")[0]], [1, `${place({ day, n })}: missing: the numbers have a gap`]);
  const cut = await spoil("DELETE FROM audit WHERE day = ? AND n > ?", day, n);
  assert.equal(cut.code, 1);
  assert.match(cut.stdout, /: missing: it was there when the root was written down/);
});

test("an export is verified as the store is; what cannot be told is no finding", async (t) => {
  const { data, system, lines } = await trailOf(t);
  await system.stop();
  const { stdout, code } = await audit(data, "export");
  assert.equal(code, 0);
  const file = join(folder(t), "trail.ndjson");
  writeFileSync(file, stdout);
  assert.equal((await audit(data, "verify", "--file", file)).code, 0);
  const { n } = lines[5]!;
  writeFileSync(
    file,
    stdout
      .split("\n")
      .filter((line) => !line.includes(`"n":${n},`))
      .join("\n"),
  );
  const gone = await audit(data, "verify", "--file", file);
  assert.deepEqual([gone.code, gone.stdout.includes(`/${n}: missing`)], [1, true]);
  const day = lines[0]!.day;
  for (const args of [
    ["--from", day],
    ["--to", day],
  ])
    assert.equal((await audit(data, "verify", ...args)).code, 0);
  for (const [args, says] of [
    [["--from", "yesterday"], /--from must be a day/],
    [["--key", "short"], /--key must be/],
    [["--file", join(data, "none")], /there is no/],
    [["--roots", file], /no answer of v1.audit.roots/],
  ] as const) {
    const refused = await audit(data, "verify", ...args);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, says);
  }
  const elsewhere = folder(t);
  for (const verb of ["verify", "export"]) {
    const nothing = await audit(elsewhere, verb);
    assert.equal(nothing.code, 2);
    assert.match(nothing.stderr, /there is no audit trail/);
  }
  writeFileSync(file, JSON.stringify({ roots: [{ day, n, chain: "x" }] }));
  if (process.env.MONGO_URL)
    assert.equal((await audit(elsewhere, "verify", "--roots", file)).code, 1, "there was one when that was written down");
});

test("a system that is killed again and again writes each commit down once, and no other", async (t) => {
  const data = folder(t);
  const acknowledged = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const { url, stop } = await startSystem(t, { DATA_DIR: data, RATE_LIMIT: "0" });
    const post = await api(url);
    const answers = Array.from({ length: 120 }, async (_, i) => {
      const id = `r${round}-${i}`;
      const { status } = await post("customers", { id, name: id });
      if (status === 201) acknowledged.add(`customers/${id}`);
      if (acknowledged.size === 120 * round + 60) void stop("SIGKILL");
    });
    await Promise.allSettled(answers);
    await stop("SIGKILL");
  }
  const { url, stop } = await startSystem(t, { DATA_DIR: data, RATE_LIMIT: "0" });
  const lines = await until(async () => {
    const found = await trail(url, "&room=customers&result=accepted");
    return new Set(found.map(({ resource }) => resource)).isSupersetOf(acknowledged) && found;
  });
  assert.ok(acknowledged.size > 100);
  assert.equal(new Set(lines.map(({ id }) => id)).size, lines.length);
  assert.equal(new Set(lines.map(({ resource, version }) => `${resource}@${version}`)).size, lines.length);
  await stop();
  const { code, stdout } = await audit(data, "verify", "--each");
  assert.equal(code, 0, stdout);
  assert.ok(Number(/^(\d+) entries,/.exec(stdout)![1]) >= lines.length, stdout);
});
