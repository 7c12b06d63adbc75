import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect, type NatsConnection } from "nats";
import type { Log } from "../../mixins/bus/log.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";
import { missing } from "../servers/install.ts";
import { type Servers, startServers } from "./chaos.servers.ts";

const lacking = missing();
const skip = lacking.length > 0 && `not installed: ${lacking.join(" and ")}: npm run servers -- --install`;

let servers: Servers;
let nc: NatsConnection;
before(async () => {
  if (skip) return;
  servers = await startServers();
  const env = { TRANSPORTER: servers.nats[0]!.url, MONGO_URL: servers.mongo.url, BUS_REPLICAS: "3", BUS_MAX_MEGABYTES: "16" };
  Object.assign(process.env, env); // before anything reads the configuration
  nc = await connect({ servers: servers.nats[0]!.url });
});
after(async () => {
  await nc?.close();
  await servers?.stop();
});

/** Found by `npm run test:chaos`: lists stood still for half a minute after one of three NATS servers had been killed. */
test("a reader whose consumer was on the NATS server that is killed goes on within seconds", { skip, timeout: 60_000 }, async (t) => {
  const { JetStreamHost, streamOf, subjectOf } = await import("../../mixins/bus/jetstream.host.ts");
  const { JetStreamLog } = await import("../../mixins/bus/jetstream.log.ts");
  const { encode } = await import("../../mixins/bus/message.ts");
  const host = JetStreamHost.open();
  t.after(() => host.close());
  await host.stream("room");
  const publish = async (version: number) => {
    const commit = { id: `c${version}`, stream: "s", version, events: [{ type: "Said" }], at: 0, occurredAt: 0 } as unknown as Logged;
    await (await host.js()).publish(subjectOf("room", "s"), encode(commit), { msgID: commit.id });
  };
  /** Reads on until something comes, as a follower does. */
  const next = async (log: Log, from: string) => {
    for (let at = from; ; ) {
      const told = Promise.withResolvers<void>();
      const silence = log.listen(told.resolve);
      const part = await log.log(at, 100).catch(() => ({ commits: [], next: at })); // another server must lead first
      if (part.commits.length > 0) return { at: part.next, versions: part.commits.map(({ version }) => version) };
      if (part.next === at) await told.promise;
      silence();
      at = part.next;
    }
  };

  const manager = await nc.jetstreamManager();
  const known = new Set<string>();
  let [log, at, leader] = [new JetStreamLog("room"), "", 0];
  t.after(() => log.close());
  while (!at.startsWith("stream ")) ({ next: at } = await log.log(at, 100).catch(() => ({ next: at }))); // through the record, which has nothing of what is sent here
  for (let version = 1; leader <= 0; version++) {
    if (version > 1) {
      await log.close(); // its consumer is where the connection is: both would be lost
      log = new JetStreamLog("room");
    }
    const found = next(log, at);
    await publish(version);
    at = (await found).at;
    const consumer = (await manager.consumers.list(streamOf("room")).next()).find(({ name }) => !known.has(name));
    known.add(consumer!.name);
    leader = servers.nats.findIndex((_, n) => consumer!.cluster?.leader === `n${n}`);
  }
  await servers.nats[leader]!.end("SIGKILL");
  const found = next(log, at);
  while (
    !(await publish(100).then(
      () => true,
      () => false,
    ))
  );
  const carried = performance.now(); // the two that are left have agreed on a leader, which takes the time that it takes
  assert.deepEqual((await found).versions, [100]);
  const took = performance.now() - carried;
  assert.ok(took < 12_000, `${took} ms; left to itself, the client waits for half a minute`);
});
