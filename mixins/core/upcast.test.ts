import assert from "node:assert/strict";
import { test } from "node:test";
import { declareUpcasters, stamped, upcast } from "./upcast.ts";

declareUpcasters("shop", {
  Sold: {
    1: ({ type, price }: { type: string; price: number }) => ({ type, rate: String(price) }),
    2: ({ type, rate }: { type: string; rate: string }) => ({ type, rate, currency: "GBP" }),
  },
});

test("an event of any older version is told as it is told today", () => {
  const today = { type: "Sold", rate: "5", currency: "GBP", v: 3 };
  assert.deepEqual(upcast("shop", { type: "Sold", price: 5 } as never), today);
  assert.deepEqual(upcast("shop", { type: "Sold", rate: "5", v: 2 } as never), today);
  assert.deepEqual(upcast("shop", today), today);
});

test("what is stored says its version, where its type has had several", () => {
  assert.deepEqual(stamped("shop", [{ type: "Sold", rate: "5" } as never, { type: "Closed" }]), [
    { type: "Sold", rate: "5", v: 3 },
    { type: "Closed" },
  ]);
  const events = [{ type: "Sold" }];
  assert.equal(stamped("elsewhere", events), events, "and nothing is copied where none has");
});

test("what a newer node wrote, and types and rooms that say nothing, stay as they are", () => {
  for (const [room, event] of [
    ["shop", { type: "Sold", amount: {}, v: 4 }],
    ["shop", { type: "Closed" }],
    ["elsewhere", { type: "Sold", price: 5 }],
  ] as [string, { type: string }][]) {
    assert.equal(upcast(room, event), event);
  }
});

test("an older event is not changed by being told anew: others may hold it", () => {
  const old = Object.freeze({ type: "Sold", price: 5 });
  upcast("shop", old);
  assert.deepEqual(old, { type: "Sold", price: 5 });
});
