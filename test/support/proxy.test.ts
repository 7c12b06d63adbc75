import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { type BadNetwork, startProxy } from "./proxy.ts";

const heard: string[] = [];
const echo = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    heard.push(String(chunk));
    socket.write(chunk);
  });
});
let proxy: BadNetwork;

before(async () => {
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  proxy = await startProxy((echo.address() as AddressInfo).port);
});
after(async () => {
  await proxy.stop();
  echo.close();
});

const ask = async () => {
  const socket = connect(proxy.port, "127.0.0.1").setEncoding("utf8");
  await once(socket, "connect");
  return socket;
};

test("what is held back has been heard, and comes when it is let go", async () => {
  const socket = await ask();
  proxy.hold();
  socket.write("one");
  while (!heard.includes("one")) await new Promise(setImmediate);
  let answers = "";
  socket.on("data", (text) => (answers += text));
  assert.equal(answers, "");
  const told = once(socket, "data");
  proxy.letGo();
  await told;
  assert.equal(answers, "one");
  socket.destroy();
});

test("it is held back from when somebody says a word", async () => {
  const socket = await ask();
  proxy.hold("now");
  socket.write("first");
  assert.equal(String((await once(socket, "data"))[0]), "first");
  socket.write("now");
  while (!heard.includes("now")) await new Promise(setImmediate);
  const told = once(socket, "data");
  proxy.letGo();
  assert.equal(String((await told)[0]), "now");
  socket.destroy();
});

test("a connection that is cut is gone for both; a closed door takes none until it opens", async () => {
  const socket = await ask();
  const gone = once(socket, "close");
  proxy.cut();
  await gone;
  await proxy.close();
  await assert.rejects(ask(), { code: "ECONNREFUSED" });
  await proxy.open();
  const again = await ask();
  again.write("two");
  assert.equal(String((await once(again, "data"))[0]), "two");
  again.destroy();
});
