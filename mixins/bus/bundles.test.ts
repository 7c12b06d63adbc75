import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Bundles } from "./bundles.ts";

const sent = () => {
  const messages: [string, string, string | undefined][] = [];
  const bundles = new Bundles(
    (topic, data, reply) => messages.push([topic, data.toString(), reply]),
    (node) => `to ${node ?? "all"}`,
  );
  return { messages, bundles };
};

test("what one turn brings for a node, or for all, is one message, in order, and says first who speaks", async () => {
  const { messages, bundles } = sent();
  bundles.put("REQ.a", "1", "a", "RES.me.a");
  bundles.put("REQ.c", "2", "c", "RES.me.c");
  bundles.put("REQ.a", "3", "a", "RES.me.a");
  bundles.put("REQ.c", "4", "c", "RES.me.c");
  bundles.put("INFO", "5");
  bundles.put("INFO", "6");
  bundles.put("RES.b", "7", "b");
  assert.deepEqual(messages, []);
  await turn();
  assert.deepEqual(messages, [
    ["REQ.a", '["to a",1,3]', "RES.me.a"],
    ["REQ.c", '["to c",2,4]', "RES.me.c"],
    ["INFO", '["to all",5,6]', undefined],
    ["RES.b", '["to b",7]', undefined],
  ]);
  bundles.put("RES.b", "8", "b");
  await turn();
  assert.deepEqual(messages.at(-1), ["RES.b", '["to b",8]', undefined]);
});

test("8 KB go at once, and what is larger goes alone", () => {
  const { messages, bundles } = sent();
  const text = "1".repeat(1_000);
  for (let n = 0; n < 10; n++) bundles.put("RES.a", text, "a");
  assert.equal(messages.length, 1);
  const large = "2".repeat(20_000);
  bundles.put("RES.a", large, "a");
  assert.deepEqual(
    messages.map(([, data]) => data.length),
    [9 * 1_001 + 8, 1_009, 20_009],
  );
});
