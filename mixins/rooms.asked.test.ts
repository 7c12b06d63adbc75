import "../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { folder } from "../test/support/system.ts";

test("who asks about the sagas or dead letters of a room hears whether there is such a room, or whether it is away", async (t) => {
  process.env.DATA_DIR = folder(t);
  process.env.PORT = "0";
  const { startNode } = await import("./runtime/node.ts");
  const node = await startNode({ quiet: true, rooms: ["sagas", "events", "deals", "customers"] });
  t.after(() => node.stop());
  const user = { id: "root", roles: ["admin"] };
  const said = (action: string, params: object) =>
    node.broker.call<unknown, object>(`v1.${action}`, params, { meta: { user } }).then(
      () => "answered",
      ({ code, type, message }: { code: number; type: string; message: string }) => `${code} ${type} ${message}`,
    );
  const letter = { follower: "f", source: "deals", stream: "s" };
  const asked = (room: string): [string, object][] => [
    ["sagas.list", { room }],
    ["sagas.get", { room, id: "x" }],
    ["sagas.retry", { room, id: "x" }],
    ["sagas.cancel", { room, id: "x", reason: "r" }],
    ["events.deadLetters.list", { room }],
    ["events.deadLetters.replay", { room, ...letter }],
    ["events.deadLetters.discard", { room, ...letter }],
  ];
  for (const room of ["foo", "customers"]) {
    for (const [action, params] of asked(room))
      assert.equal(await said(action, params), "422 ROOM_UNFIT room must be one of deals", action);
  }
  for (const [action, params] of asked("inventory")) assert.match(await said(action, params), /SERVICE_NOT_FOUND/, action);
  const there = await Promise.all(asked("deals").map(([action, params]) => said(action, params)));
  assert.deepEqual(
    there.map((answer) => answer.split(" ")[0]),
    ["answered", "404", "404", "404", "answered", "404", "404"],
  );
});
