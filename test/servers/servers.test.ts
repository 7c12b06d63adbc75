import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { connect } from "nats";
import { missing } from "./install.ts";
import { startServer } from "./start.ts";

test("NATS starts with JetStream, and keeps what it took over a crash", {
  skip: missing().includes("nats") && "nats-server is not installed: npm run servers -- --install",
}, async (t) => {
  const server = await startServer("nats");
  t.after(() => server.stop());
  let nc = await connect({ servers: server.url });
  await (await nc.jetstreamManager()).streams.add({ name: "T", subjects: ["t.>"] });
  await nc.jetstream().publish("t.a", "one");
  await nc.close();
  await server.end("SIGKILL");
  await server.again();
  nc = await connect({ servers: server.url });
  assert.equal((await (await nc.jetstreamManager()).streams.info("T")).state.messages, 1);
  await nc.close();
});

test("MongoDB's protocol is spoken, and what was written is there after a restart", {
  skip: missing().includes("mongo") && "neither mongod nor the stand-in is installed: npm run servers -- --install",
}, async (t) => {
  const server = await startServer("mongo");
  t.after(() => server.stop());
  const write = new MongoClient(server.url);
  await write
    .db("t")
    .collection<{ _id: string }>("c")
    .insertOne({ _id: "one" }, { writeConcern: { w: "majority", journal: true } });
  await write.close();
  await server.end();
  await server.again();
  const read = new MongoClient(server.url);
  assert.equal(await read.db("t").collection<{ _id: string }>("c").countDocuments(), 1);
  await read.close();
});
