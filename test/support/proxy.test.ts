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

test("a slow connection says all of it, in order, and no sooner than it is told to", async () => {
  const socket = await ask();
  proxy.slow(30);
  const asked = performance.now();
  for (let n = 0; n < 50; n++) socket.write(`${n};`);
  let answers = "";
  for await (const text of socket) {
    answers += text;
    if (answers.length >= 140) break;
  }
  assert.ok(performance.now() - asked >= 58);
  assert.equal(answers, Array.from({ length: 50 }, (_, n) => `${n};`).join(""));
  proxy.slow(0);
});
