import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { connect } from "nats";
import { missing, type ServerName } from "../servers/install.ts";
import { type StartOptions, startServer } from "../servers/start.ts";
import { folder, run, startSystem } from "../support/system.ts";

const NOWHERE = { TRANSPORTER: "nats://127.0.0.1:1", MONGO_URL: "mongodb://127.0.0.1:1", REDIS_URL: "redis://127.0.0.1:1" };

const examine = async (env: Record<string, string>) => {
  const { code, stdout, stderr } = await run(["mixins/runtime/doctor.command.ts"], env);
  assert.equal(stderr, "");
  const lines = stdout.split("\n").filter(Boolean);
  for (const line of lines) assert.match(line, /^(ok|warn|wrong) +\w+ +\S/);
  return { code, lines, of: (about: string) => lines.filter((line) => line.slice(6).startsWith(about)).join("\n") };
};

const needs = (...names: ServerName[]) => {
  const lacking = names.filter((name) => missing().includes(name));
  return { skip: lacking.length > 0 && `not installed: ${lacking.join(", ")}: npm run servers -- --install` };
};

const started = async (t: TestContext, name: ServerName, options?: StartOptions) => {
  const server = await startServer(name, options);
  t.after(() => server.stop());
  return server;
};

test("one process is told what it has, and that all is well", async (t) => {
  const data = join(folder(t), "data");
  const { code, lines, of } = await examine({ DATA_DIR: data });
  assert.equal(code, 0);
  assert.ok(
    lines.every((line) => /^ok +(process|schema) /.test(line)),
    lines.join("\n"),
  );
  assert.match(of("process").split("\n").at(-1)!, new RegExp(`${data} can be written, [\\d.]+ GB are free`));
});

test("the steps of the rooms' schemas are listed: what is to run, what ran when, and what a newer version did", async (t) => {
  const data = folder(t);
  const before = await examine({ DATA_DIR: data, ROOMS: "deals,products" });
  assert.match(before.of("schema"), /^ok +schema +deals 1 \(contract\) is pending, and runs when a node of the room starts: /m);
  assert.deepEqual(readdirSync(data), [], "to look makes nothing");
  const system = await startSystem(t, { DATA_DIR: data }, ["deals"]);
  await system.stop();
  const after = await examine({ DATA_DIR: data, ROOMS: "deals" });
  assert.match(after.of("schema"), /^ok +schema +deals 1 \(contract\) ran \d{4}-\d\d-\d\dT[\d:.]+Z: drops /m);
  const db = new DatabaseSync(join(data, "deals.db"));
  db.exec("INSERT INTO schema_steps VALUES (7, 'contract', 'drops the past', 7, 0)");
  db.close();
  const newer = await examine({ DATA_DIR: data, ROOMS: "deals" });
  assert.equal(newer.code, 1);
  assert.match(newer.of("schema"), /^wrong +schema +deals: step 7 of a newer version \(drops the past\) has taken away/m);
  await assert.rejects(startSystem(t, { DATA_DIR: data }, ["deals"]), /ended with 2 .*deals: step 7 of a newer version/s);
});

test("what would stop the start is wrong, and said in one line", async (t) => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ PORT: "eighty" }, /^wrong settings PORT must be a whole number/m],
    [{ ROOMS: "deals,sails" }, /^wrong process {2}ROOMS: there is no room sails/m],
    [{ DATA_DIR: "/proc/nowhere/data" }, /^wrong process {2}DATA_DIR: cannot write to \/proc\/nowhere\/data/m],
    [{ DATA_DIR: "/proc" }, /^wrong process {2}DATA_DIR: cannot write to \/proc/m],
  ];
  for (const [env, complaint] of cases) {
    const { code, lines } = await examine({ DATA_DIR: folder(t), ...env });
    assert.equal(code, 1);
    assert.match(lines.join("\n"), complaint);
  }
});

test("servers that are not there are each named, and no password with them", async () => {
  const withSecrets = Object.fromEntries(Object.entries(NOWHERE).map(([name, url]) => [name, url.replace("//", "//banyan:s3cr3t@")]));
  const { code, lines, of } = await examine(withSecrets);
  assert.equal(code, 1);
  for (const [about, scheme] of [
    ["nats", "nats"],
    ["mongodb", "mongodb"],
    ["redis", "redis"],
  ] as const)
    assert.match(of(about), new RegExp(`^wrong .*${scheme}://127\\.0\\.0\\.1:1/? is not to be had: .*REFUSED`));
  assert.doesNotMatch(lines.join("\n"), /s3cr3t/);
});

test("a NATS that is fit, and streams that are not as BUS_REPLICAS says", needs("nats"), async (t) => {
  const server = await started(t, "nats", { args: ["--user", "banyan", "--pass", "s3cr3t"] });
  const connection = await connect({ servers: server.url, user: "banyan", pass: "s3cr3t" });
  const { streams } = await connection.jetstreamManager();
  await streams.add({ name: "banyan_deals", subjects: ["banyan.deals.>"] });
  await streams.add({ name: "banyan_quick", subjects: ["banyan.quick.>"], storage: "memory" as never });
  await streams.add({ name: "others", subjects: ["others.>"] });
  await connection.close();
  const TRANSPORTER = server.url.replace("//", "//banyan:s3cr3t@");
  const { code, of, lines } = await examine({ ...NOWHERE, TRANSPORTER });
  assert.equal(code, 1, "the others are not there");
  assert.match(of("nats"), /^ok +nats +2\.\d+\.\d+ at nats:\/\/127\.0\.0\.1:\d+, a server of its own$/m);
  assert.match(of("nats"), /^ok .*JetStream holds 0\.0 MB in 3 streams$/m);
  assert.match(of("nats"), /^ok .*stream banyan_deals: 0 events/m);
  assert.match(of("nats"), /^wrong .*stream banyan_quick is kept in memory/m);
  assert.match(of("nats"), /^ok .*its clock agrees with ours/m);
  assert.match(of("nats"), /sync_interval/);
  assert.doesNotMatch(lines.join("\n"), /others|s3cr3t/);
  const more = await examine({ ...NOWHERE, TRANSPORTER, BUS_REPLICAS: "3" });
  assert.match(more.of("nats"), /^wrong .*BUS_REPLICAS is 3 and the server stands alone/m);
  assert.match(more.of("nats"), /^warn .*stream banyan_deals stands on 1 of the servers, BUS_REPLICAS says 3/m);
  const stranger = await examine({ ...NOWHERE, TRANSPORTER: server.url });
  assert.match(stranger.of("nats"), /^wrong .*is not to be had: .*AUTHORIZATION/i);
});

test("a NATS that keeps nothing is told to", needs("nats"), async (t) => {
  const file = join(folder(t), "nats.conf");
  writeFileSync(file, "accounts { PLAIN { users: [ { user: plain, password: s3cr3t } ] } }"); // JetStream is for accounts that have it
  const server = await started(t, "nats", { args: ["-c", file] });
  const { of } = await examine({ ...NOWHERE, TRANSPORTER: server.url.replace("//", "//plain:s3cr3t@") });
  assert.match(of("nats"), /^wrong .*JetStream does not answer .*-js/m);
});

test("MongoDB's version and kind are told, and what it lacks is no crash", needs("mongo"), async (t) => {
  const server = await started(t, "mongo");
  const { code, of } = await examine({ ...NOWHERE, MONGO_URL: server.url });
  assert.equal(code, 1, "the others are not there");
  assert.match(of("mongodb"), /^ok .*its clock agrees with ours/m);
  assert.match(of("mongodb"), /^(ok|warn) +mongodb +\d+\.\d+\.[\d.]+ \(wire \d+\) at mongodb:\/\/127\.0\.0\.1:\d+/m);
  assert.match(of("mongodb"), /^warn .*a standalone server/m);
  assert.match(of("mongodb"), /^ok .*banyan_deals can be read: 0 collections/m);
  assert.doesNotMatch(of("mongodb"), /^wrong/m);
});

test("a Redis that evicts is well, one that grows or refuses is warned of", needs("redis"), async (t) => {
  const [well, full, endless] = await Promise.all([
    started(t, "redis", { args: ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", "--requirepass", "s3cr3t"] }),
    started(t, "redis", { args: ["--maxmemory", "64mb"] }),
    started(t, "redis", { args: ["--rename-command", "TIME", ""] }),
  ]);
  const urls = [well.url.replace("//", "//:s3cr3t@"), well.url, full.url, endless.url];
  const said = await Promise.all(urls.map(async (url) => (await examine({ ...NOWHERE, REDIS_URL: url })).of("redis")));
  assert.match(said[0]!, /^ok .*its clock agrees with ours/m);
  assert.match(said[0]!, /^ok .*at most 64 MB, allkeys-lru$/m);
  assert.doesNotMatch(said[0]!, /^(warn|wrong)/m);
  assert.match(said[1]!, /^wrong .*NOAUTH/m);
  assert.match(said[2]!, /^warn .*maxmemory-policy is noeviction/m);
  assert.match(said[3]!, /^warn .*maxmemory is not set/m);
  assert.match(said[3]!, /^warn .*its clock cannot be seen: ERR unknown command/m, "what is switched off is no crash");
});

test("a cluster whose servers are all there, and fit for a trial, has nothing wrong", needs("nats", "mongo", "redis"), async (t) => {
  const [nats, mongo, redis] = await Promise.all([started(t, "nats"), started(t, "mongo"), started(t, "redis")]);
  const { code, of } = await examine({ TRANSPORTER: nats.url, MONGO_URL: mongo.url, REDIS_URL: redis.url, HOST: "0.0.0.0" });
  assert.equal(code, 0);
  assert.match(of("process"), /^warn .*HOST is 0\.0\.0\.0/m);
});

test("--help says what the three words mean", async () => {
  const { code, stdout } = await run(["mixins/runtime/doctor.command.ts", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /ok, warn .* or wrong/);
});
