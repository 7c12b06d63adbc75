import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectPlain } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer } from "node:tls";
import { type Authenticator, type ConnectionOptions, connect, type NatsConnection, nkeyAuthenticator, type TlsOptions } from "nats";
import { freePort, startServer } from "../servers/start.ts";
import { type Certs, makeCerts } from "../support/certs.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { folder, run } from "../support/system.ts";
import { deal } from "../support/trade.ts";

const skip = without("nats");

/** A NATS that asks for certificates and nkeys of these nodes. */
const guarded = async (t: TestContext, args: readonly string[]) => {
  const certs = await makeCerts(folder(t), args);
  const server = await startServer("nats", { args: certs.nats });
  t.after(() => server.stop());
  return { certs, server, url: server.url.replace("nats:", "tls:") };
};

/** How a node connects, part by part. */
const asNode = (certs: Certs, name: string): { tls: TlsOptions; authenticator: Authenticator } => {
  const { TLS_CA_FILE, TLS_CERT_FILE, TLS_KEY_FILE, NATS_NKEY_FILE } = certs.node(name);
  return {
    tls: { caFile: TLS_CA_FILE, certFile: TLS_CERT_FILE, keyFile: TLS_KEY_FILE },
    authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(NATS_NKEY_FILE, "utf8").trim())),
  };
};

const open = async (t: TestContext, servers: string, options: ConnectionOptions): Promise<NatsConnection> => {
  const connection = await connect({ servers, reconnect: false, ...options });
  t.after(() => connection.close());
  return connection;
};

/** Which of the subjects a connection may not publish to, or listen to. */
const refused = async (connection: NatsConnection, verb: "publish" | "subscribe", subjects: string[]): Promise<string[]> => {
  const told = new Set<string>();
  void (async () => {
    for await (const { permissionContext } of connection.status()) if (permissionContext) told.add(permissionContext.subject);
  })();
  for (const subject of subjects) {
    if (verb === "publish") connection.publish(subject, "{}");
    else connection.subscribe(subject, { callback: () => {} });
  }
  await connection.flush(); // what NATS has against them it says before it answers this
  await new Promise(setImmediate);
  return subjects.filter((subject) => told.has(subject));
};

test("a stranger gets no connection to NATS: without a certificate, with another authority's, without an nkey, with an unknown one", {
  skip,
}, async (t) => {
  const { certs, url } = await guarded(t, ["--nodes", "deals,users"]);
  const others = await makeCerts(folder(t), ["--nodes", "deals"]);
  const [ours, theirs] = [asNode(certs, "deals"), asNode(others, "deals")];
  const { caFile } = ours.tls;
  const strangers: [string, ConnectionOptions][] = [
    ["no certificate", { ...ours, tls: { caFile } }],
    ["the certificate of another authority", { ...ours, tls: { ...theirs.tls, caFile } }],
    ["no nkey", { tls: ours.tls }],
    ["an nkey that NATS does not know", { ...ours, authenticator: theirs.authenticator }],
    ["a name and a password", { tls: ours.tls, user: "deals", pass: "deals" }],
  ];
  for (const [what, options] of strangers)
    await assert.rejects(connect({ servers: url, reconnect: false, timeout: 5_000, ...options }), what);
  await assert.rejects(
    connect({ servers: url, reconnect: false, ...ours, tls: { ...ours.tls, caFile: theirs.tls.caFile } }),
    /unable to verify/,
  );
  const connection = await open(t, url, ours);
  assert.equal(connection.info?.tls_required, true);
});

test("a node may publish its own room's events and no other's, make no other's stream go, and hear no other's answers", {
  skip,
}, async (t) => {
  const { certs, url } = await guarded(t, ["--nodes", "deals,users,gateway"]);
  const [deals, gateway] = await Promise.all(["deals", "gateway"].map((name) => open(t, url, asNode(certs, name))));
  const forbidden = [
    "banyan.tested.users.u-1",
    "banyan.other.deals.d-1",
    "$JS.API.STREAM.CREATE.tested_users",
    "$JS.API.STREAM.DELETE.tested_users",
    "$JS.API.STREAM.UPDATE.tested_deals",
    "$JS.API.STREAM.PURGE.tested_deals",
    "$JS.API.STREAM.CREATE.other_deals",
    "$JS.API.STREAM.MSG.DELETE.tested_users",
    "$JS.API.CONSUMER.CREATE.other_deals.c",
    "MOL-other.REQ.users.users-1.deals",
    "MOL-tested.REQ.users.users-1.gateway",
    "MOL-tested.RES.users.users-1.gateway",
    "MOL-tested.INFO.users",
    "_INBOX.somebody.1",
    "$SYS.REQ.SERVER.PING",
    "anything",
  ];
  const allowed = [
    "banyan.tested.deals.d-1",
    "MOL-tested.INFO.deals",
    "MOL-tested.REQ.users.users-1.deals",
    "$JS.API.STREAM.INFO.tested_users",
  ];
  assert.deepEqual(await refused(deals!, "publish", [...forbidden, ...allowed]), forbidden);
  assert.deepEqual(await refused(gateway!, "publish", ["banyan.tested.deals.d-1", "MOL-tested.REQ.deals.deals-1.gateway"]), [
    "banyan.tested.deals.d-1",
  ]);
  const closed = [
    "_INBOX.>",
    ">",
    "banyan.tested.deals.d-1",
    "MOL-other.INFO.*",
    "$SYS.>",
    "MOL-tested.REQ.users.users-1.*",
    "MOL-tested.>",
  ];
  assert.deepEqual(await refused(deals!, "subscribe", [...closed, "MOL-tested.INFO.*", "MOL-tested.REQ.deals.deals-1.*"]), closed);
});

test("where a node's id is its name, it hears nothing that is sent to another", { skip }, async (t) => {
  const { certs, url } = await guarded(t, ["--nodes", "deals,users", "--exact"]);
  const deals = await open(t, url, asNode(certs, "deals"));
  const own = ["MOL-tested.INFO.*", "MOL-tested.REQ.deals.deals.*", "MOL-tested.RES.deals.deals.*", "MOL-tested.INFO.deals.deals.*"];
  const others = ["MOL-tested.REQ.users.users.*", "MOL-tested.RES.users.users.*", "MOL-tested.REQ.deals.deals-2.*", "MOL-tested.>"];
  assert.deepEqual(await refused(deals, "subscribe", [...own, ...others]), others);
});

test("a node's certificate does not pass for a server's: a node that is taken over is not NATS and Redis as well", {
  skip: without("nats", "redis"),
}, async (t) => {
  const certs = await makeCerts(folder(t), ["--nodes", "deals,users"]);
  const port = await freePort();
  const posing = (args: string[]) => args.map((arg) => arg.replace(/servers\/\w+\.(crt|key)$/, "nodes/users.$1"));
  const [nats, redis] = await Promise.all([
    startServer("nats", { args: posing(certs.nats) }),
    startServer("redis", { port, args: posing(certs.redis(port)) }),
  ]);
  for (const server of [nats, redis]) t.after(() => server.stop());
  const { stdout } = await run(["mixins/runtime/doctor.command.ts"], {
    TRANSPORTER: nats.url.replace("nats:", "tls:"),
    REDIS_URL: redis.url.replace("redis:", "rediss:"),
    MONGO_URL: "mongodb://127.0.0.1:1/?tls=true",
    ...certs.node("deals"),
  });
  for (const about of ["nats", "redis"])
    assert.match(stdout, new RegExp(`^wrong +${about} .*shows a node's certificate, and is no server`, "m"));
});

/** Stands before the MongoDB of the test, which may speak no TLS, and asks for certificates. */
const startTlsDoor = async (t: TestContext, certs: Certs, target: number): Promise<number> => {
  const [cert, key, ca] = ["servers/mongo.crt", "servers/mongo.key", "ca.crt"].map((file) => readFileSync(certs.of(file)));
  const door = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (client) => {
    const server = connectPlain(target, "127.0.0.1");
    client.pipe(server).pipe(client);
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
  });
  door.listen(0, "127.0.0.1");
  await once(door, "listening");
  t.after(() => door.close());
  return (door.address() as AddressInfo).port;
};

/** NATS, MongoDB and Redis that take nobody without a certificate, and what leads a node to them. */
const startServers = async (t: TestContext, nodes: string, namespace: string) => {
  const certs = await makeCerts(folder(t), ["--nodes", nodes], namespace);
  const port = await freePort();
  const [nats, redis, mongo] = await Promise.all([
    startServer("nats", { args: certs.nats }),
    startServer("redis", { port, args: certs.redis(port) }),
    startServer("mongo"),
  ]);
  for (const server of [nats, redis, mongo]) t.after(() => server.stop());
  const env = {
    NAMESPACE: namespace,
    TRANSPORTER: nats.url.replace("nats:", "tls:"),
    REDIS_URL: redis.url.replace("redis:", "rediss:"),
    MONGO_URL: `mongodb://127.0.0.1:${await startTlsDoor(t, certs, mongo.port)}/?tls=true`,
  };
  return { certs, env };
};

const all = { skip: without("nats", "mongo", "redis") };

test(
  "a whole system runs over TLS: calls, events, stores and what the nodes share; the doctor finds it well, and a stranger nothing",
  all,
  async (t) => {
    const back = ["analytics", "auth", "customers", "events", "inventory", "products", "sagas", "users"];
    const { certs, env } = await startServers(t, `gateway,deals,back=${back.join("+")}`, `tls${process.pid}`);
    const https = { HTTPS_CERT_FILE: certs.of("servers/https.crt"), HTTPS_KEY_FILE: certs.of("servers/https.key") };
    const [door, , member] = await Promise.all([
      startMember(t, "gateway-1", { rooms: ["gateway"], env: { ...env, ...certs.node("gateway") } }),
      startMember(t, "deals-1", { rooms: ["deals"], env: { ...env, ...certs.node("deals"), MASTER_KEY: "" } }),
      startMember(t, "back-1", { rooms: back, env: { ...env, ...certs.node("back") } }),
    ]);
    await until(async () => (await ask(`${door.url}/api/v1/deals?limit=1`)).status === 200);
    assert.equal((await ask(`${door.url}/health/ready`)).status, 200);
    const made = await ask(`${door.url}/api/v1/deals`, { body: deal("d-1") });
    assert.equal(made.status, 201, made.text);
    await until(async () => (await ask(`${door.url}/api/v1/deals?limit=9`)).text.includes('"d-1"'));
    await until(async () => {
      const { items } = await member.call<{ items: { source: string; position: number; end: number }[] }>(
        "v1.analytics.followers.list",
        {},
      );
      return items.some(({ source, position, end }) => source === "deals" && end > 0 && position === end); // by the stream, not by the record
    });
    const doctor = await run(["mixins/runtime/doctor.command.ts"], { ...env, ...certs.node("back"), ...https });
    assert.equal(doctor.code, 0, doctor.stdout);
    for (const about of ["nats", "mongodb", "redis"])
      assert.match(doctor.stdout, new RegExp(`^ok +${about} +what goes to it is encrypted`, "m"));
    assert.match(doctor.stdout, /^ok +nats +it lets in nobody who does not log in$/m);
    assert.match(doctor.stdout, /^ok +trust +TLS_CERT_FILE .* ends on \d{4}-\d\d-\d\d$/m);
    const stranger = await run(["mixins/runtime/doctor.command.ts"], { ...env, TLS_CA_FILE: certs.of("ca.crt") });
    assert.equal(stranger.stderr, "", "what is refused is no crash");
    for (const about of ["nats", "mongodb", "redis"])
      assert.match(stranger.stdout, new RegExp(`^wrong +${about} .* is not to be had`, "m"));
  },
);

test("a node that follows a room starts before that has ever run, though NATS lets it make no stream of it", all, async (t) => {
  const { certs, env } = await startServers(t, "analytics,deals,audit", `first${process.pid}`);
  const start = (room: string) => startMember(t, room, { rooms: [room], env: { ...env, ...certs.node(room) } });
  const [analytics] = await Promise.all([start("analytics"), start("audit")]);
  const ends = async () =>
    (await analytics.call<{ items: { source: string; end: number }[] }>("v1.analytics.followers.list", {})).items.map(({ end }) => end);
  assert.deepEqual(new Set(await ends()), new Set([0]));
  await start("deals");
});
