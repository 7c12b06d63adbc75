import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { connect } from "nats";
import { folder, run } from "../support/system.ts";
import { checkers } from "./checkers.ts";
import { missing, recipes } from "./install.ts";
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

const COMMAND = "test/servers/servers.command.ts";

test("npm run servers says what it does, and what it does not know", async () => {
  const help = await run([COMMAND, "--help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^npm run servers .*--install/s);
  const { code, stderr } = await run([COMMAND, "--isntall"]);
  assert.equal(code, 2);
  assert.match(stderr, /isntall/);
});

const lacking = Object.values({ ...recipes, ...checkers }).filter((recipe) => !recipe.found());

test("an install where all is there is done at once", {
  skip: lacking.length > 0 && `not installed: ${lacking.map(({ name }) => name).join(", ")}: npm run servers -- --install`,
}, async () => {
  const { code, stdout } = await run([COMMAND, "--install"]);
  assert.equal(code, 0);
  assert.equal(stdout, "These are here: nats, mongo, redis, compose, kustomize, kubernetes\n");
});

test("an install that cannot be fails, and says of each server what it takes", async (t) => {
  const { code, stdout, stderr } = await run([COMMAND, "--install"], { HOME: folder(t), PATH: "" });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^nats: it takes go to install it here\nmongo: it takes java and mvn .*\nredis: it takes apt-get /);
});
