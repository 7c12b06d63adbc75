import assert from "node:assert/strict";
import { test } from "node:test";
import { Errors } from "moleculer";
import { Conflict } from "../core/errors.ts";
import { HouseErrors } from "./house.errors.ts";

test("whatever another node calls an error is one here: nobody waits for ever for want of a field", () => {
  const restore = (told: unknown) => new HouseErrors().restore(told as Errors.PlainMoleculerError, { sender: "room" });
  const conflict = { name: "Conflict", message: "", code: 409, type: "VERSION_CONFLICT" };
  assert.ok(restore({ ...conflict, data: { stream: "d-1", version: 2 } }) instanceof Conflict);
  const odd = [
    conflict,
    { ...conflict, data: null },
    null,
    undefined,
    { name: "ServiceNotFoundError", data: null },
    { message: { toString: 1, valueOf: 1 } },
  ];
  for (const told of odd) assert.ok(restore(told) instanceof Errors.InvalidPacketDataError, JSON.stringify(told));
  for (const told of ["a text", {}, { name: "__proto__" }, { name: "Rejected" }]) assert.ok(restore(told) instanceof Error);
});
