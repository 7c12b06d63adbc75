import assert from "node:assert/strict";
import { test } from "node:test";
import { call, figures, many, stockOf } from "../integration/inventory.room.ts";

/** More movements than a stock remembers: found by `npm run test:crash`, whose clients repeat what they asked for long ago. */
let forgotten = 0;
const forget = async (product: string) => {
  const others = Array.from({ length: 400 }, (_, n) => ({ id: `other${++forgotten}-${n}`, product, quantity: "1" }));
  await many("reserve", ...others);
  await many("release", ...others);
};

test("a reservation that its buyer gave up, or that lapsed, does not come back when it is asked for again long after", async () => {
  const product = "again";
  await call("receive", { id: "r", product, quantity: "1000", cost: "2" });
  await call("reserve", { id: "given-up", product, quantity: "3" });
  await call("release", { id: "given-up", product });
  await call("reserve", { id: "taken", product, quantity: "3" });
  await call("pick", { id: "taken", product });
  await call("reserve", { id: "lapsed", product, quantity: "3", until: "2011-06-01T00:00:00Z" });
  await call("reserve", { id: "held", product, quantity: "3" });
  const gone = async () => {
    for (const id of ["given-up", "lapsed"]) {
      await assert.rejects(call("reserve", { id, product, quantity: "3" }), { type: /RESERVATION_(RELEASED|EXPIRED)/ });
    }
  };
  await gone();
  await forget(product);
  const before = await stockOf(product);
  assert.deepEqual(figures(before), { onHand: "997", reserved: "3", available: "994" });
  await gone();
  for (const id of ["taken", "held"]) await call("reserve", { id, product, quantity: "3" });
  await assert.rejects(call("reserve", { id: "held", product, quantity: "4" }), { type: "RESERVATION_EXISTS" });
  assert.deepEqual(await stockOf(product), before);
});

test("a reservation that comes again under its key long after is the one that was made, whatever became of it", async () => {
  const product = "keyed-again";
  const options = { meta: { idempotencyKey: "k1" } };
  await call("receive", { id: "r", product, quantity: "1000" });
  const { id } = await call("reserve", { product, quantity: "3" }, options);
  await forget(product);
  assert.equal((await call("reserve", { product, quantity: "3" }, options)).id, id);
  assert.equal((await stockOf(product)).reserved, "3");
  await call("release", { id, product });
  await forget(product);
  await assert.rejects(call("reserve", { product, quantity: "3" }, options), { type: "RESERVATION_RELEASED" });
  assert.equal((await stockOf(product)).reserved, "0");
});

test("a part that was picked is heard of again as picked long after, though the rest has lapsed since", async () => {
  const product = "parts";
  await call("receive", { id: "r", product, quantity: "1000", cost: "2" });
  await call("reserve", { id: "part", product, quantity: "3" });
  await call("pick", { id: "part", product, quantity: "1", pick: "p1" });
  await forget(product);
  await call("release", { id: "part", product });
  const before = await stockOf(product);
  assert.equal((await call("pick", { id: "part", product, quantity: "1", pick: "p1" })).cost, "2");
  await assert.rejects(call("pick", { id: "part", product, quantity: "1", pick: "p2" }), { type: "RESERVATION_RELEASED" });
  assert.deepEqual(await stockOf(product), before);
});
