import assert from "node:assert/strict";
import { Socket } from "node:net";
import { after, before, test } from "node:test";
import { MongoServerError } from "mongodb";
import { missing } from "../../test/servers/install.ts";
import { type Server, startServer } from "../../test/servers/start.ts";
import type { MongoHost } from "./mongo.host.ts";

const skip = missing().includes("mongo") && "neither mongod nor the stand-in is installed: npm run servers -- --install";

let server: Server;
let host: MongoHost;
before(async () => {
  if (skip) return;
  server = await startServer("mongo");
  Object.assign(process.env, { TRANSPORTER: "nats://127.0.0.1:4222", MONGO_URL: server.url }); // before anything reads the configuration
  host = (await import("./mongo.host.ts")).MongoHost.open();
});
after(async () => {
  await host?.close();
  await server?.stop();
});

/** Found by `npm run test:chaos`: the driver waited for ever until a socket that was gone would take more, its monitor as well. */
const gone: [string, (socket: Socket) => unknown][] = [
  ["has just been destroyed", (socket) => socket.destroy()],
  ["is just ending", (socket) => socket.end()],
];
for (const [how, end] of gone) {
  test(`what is sent on a connection that ${how} is in doubt at once, and what is sent then is done`, {
    skip,
    timeout: 10_000,
  }, async (t) => {
    const documents = host.room("gone").collection<{ _id: string }>("documents");
    const insert = (_id: string) => host.ask(() => documents.insertOne({ _id }));
    await insert(`${how} 1`);
    const { write } = Socket.prototype;
    const broken = t.mock.method(Socket.prototype, "write", function (this: Socket, ...what: Parameters<typeof write>) {
      if (String(what[0]).includes("insert")) end(this);
      return write.apply(this, what);
    });
    await assert.rejects(insert(`${how} 2`), { type: "STORE_UNAVAILABLE" });
    broken.mock.restore();
    while (!host.up) await new Promise((resolve) => host.client.once("topologyDescriptionChanged", resolve));
    await insert(`${how} 3`);
  });
}

test("a server that steps down leaves it open whether it has the write; one that refuses a document does not", { skip }, async () => {
  const said = (error: Error) => host.ask(() => Promise.reject(error));
  for (const code of [10_107, 11_602, 13_435, 91, 189, 8, undefined]) {
    await assert.rejects(said(new MongoServerError({ code, message: "stepping down" })), { type: "STORE_UNAVAILABLE", code: 503 });
  }
  await assert.rejects(said(new MongoServerError({ code: 2, message: "bad value" })), { name: "MongoServerError" });
});
