import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, call, figures, many, type Stock, startProcess, stockOf } from "./inventory.room.ts";

test("ten thousand buyers, five hundred at a time, want one each of a thousand: a thousand hold it, nine thousand are refused", async (t) => {
  const product = "hot";
  await call("receive", { id: "r", product, quantity: "1000", cost: "2.5" });
  const outcomes = { held: 0, refused: 0 };
  for (let from = 0; from < 10_000; from += 500) {
    const wave = Array.from({ length: 500 }, (_, n) => call("reserve", { id: `d${from + n}~1`, product, quantity: "1" }));
    for (const { status, ...rest } of await Promise.allSettled(wave)) {
      if (status === "fulfilled") outcomes.held++;
      else if ((rest as PromiseRejectedResult).reason.type === "STOCK_SHORT") outcomes.refused++;
    }
  }
  assert.deepEqual(outcomes, { held: 1_000, refused: 9_000 });
  const stock = await stockOf(product);
  assert.deepEqual(figures(stock), { onHand: "1000", reserved: "1000", available: "0" });

  const other = await startProcess(t); // which starts from a snapshot
  assert.deepEqual((await other.call("get", { product })).answer, stock);
  const held = await other.call<Answer>("reserve", { id: "d999~1", product, quantity: "1" });
  assert.equal(held.answer?.cost, "2.5");
  assert.equal((await other.call("reserve", { id: "d1000~1", product, quantity: "1" })).error, "STOCK_SHORT");
});

test("a deal reserves, and issues, all its lines in one call each, and every line hears its own answer", async () => {
  await many("receive", { id: "r1", product: "a", quantity: "10", cost: "1" }, { id: "r2", product: "b", quantity: "1", cost: "3" });
  const lines = [
    { id: "deal~1", product: "a", quantity: "6" },
    { id: "deal~2", product: "b", quantity: "2" },
    { id: "deal~3", product: "a", quantity: "4" },
    { id: "deal~4", product: "a", quantity: "1" },
  ];
  assert.deepEqual(await many("reserve", ...lines), [
    { id: "deal~1", ok: true, cost: "6" },
    { id: "deal~2", ok: false, reason: "STOCK_SHORT", available: "1" },
    { id: "deal~3", ok: true, cost: "4" },
    { id: "deal~4", ok: false, reason: "STOCK_SHORT", available: "0" },
  ]);
  const held = [
    { id: "deal~1", product: "a" },
    { id: "deal~3", product: "a" },
  ];
  const issued = [
    { id: "deal~1", ok: true, cost: "6" },
    { id: "deal~3", ok: true, cost: "4" },
  ];
  assert.deepEqual(await many("issue", ...held), issued);
  assert.deepEqual(await many("issue", ...held), issued, "and hears the same when it asks again");
  assert.deepEqual(figures(await stockOf("a")), { onHand: "0", reserved: "0", available: "0" });
});

test("every movement that is repeated, however long after, is done once", async () => {
  const product = "repeats";
  const askedAt = 1_000;
  await call("receive", { id: "r", product, quantity: "1000", cost: "2" });
  await many("reserve", { id: "early", product, quantity: "3", askedAt });
  await many("issue", { id: "early", product });
  await many("release", { id: "given-up", product, askedAt });
  await call("writeOff", { id: "w", product, quantity: "1" });
  await call("takeBack", { id: "b", product, quantity: "2" });
  const others = Array.from({ length: 400 }, (_, n) => ({ id: `other${n}`, product, quantity: "1", askedAt: askedAt + 1 + n }));
  await many("reserve", ...others);
  await many("release", ...others);
  const before = await stockOf(product);
  assert.deepEqual(figures(before), { onHand: "998", reserved: "0", available: "998" });

  assert.deepEqual(await many("reserve", { id: "early", product, quantity: "3", askedAt }), [{ id: "early", ok: true, cost: "6" }]);
  assert.deepEqual(await many("issue", { id: "early", product }), [{ id: "early", ok: true, cost: "6" }]);
  assert.deepEqual(await many("release", { id: "early", product, askedAt }), [{ id: "early", ok: false, reason: "RESERVATION_ISSUED" }]);
  assert.deepEqual(await many("release", { id: "given-up", product }), [{ id: "given-up", ok: true }]);
  assert.deepEqual(await many("reserve", { id: "given-up", product, quantity: "1", askedAt }), [
    { id: "given-up", ok: false, reason: "RESERVATION_RELEASED" },
  ]);
  assert.deepEqual(await many("issue", { id: "never", product }), [{ id: "never", ok: false, reason: "RESERVATION_NOT_FOUND" }]);
  await call("receive", { id: "r", product, quantity: "1000", cost: "2" });
  await call("writeOff", { id: "w", product, quantity: "1" });
  await call("takeBack", { id: "b", product, quantity: "2" });
  assert.deepEqual(await stockOf(product), before);
});

test("the key and the version of a caller's own deal are not taken for the stock's", async () => {
  const product = "meta";
  const options = { meta: { idempotencyKey: "confirm-7", ownKey: true, ifVersion: 7 } };
  await call("receive", { id: "r", product, quantity: "5" });
  const items = [
    { id: "x~1", product, quantity: "1", occurredAt: 1 },
    { id: "x~2", product, quantity: "1", occurredAt: 2 },
  ];
  const { items: answers } = await call<{ items: Answer[] }>("reserveMany", { items }, options);
  assert.deepEqual(
    answers.map(({ ok }) => ok),
    [true, true],
  );
  assert.equal((await stockOf(product)).reserved, "2");
});

test("a movement without an id takes one that follows from its key, and happens once", async () => {
  const product = "keyed";
  const options = { meta: { idempotencyKey: "k1", user: { id: "anna", roles: [] } } };
  const first = await call("receive", { product, quantity: "5" }, options);
  assert.deepEqual(await call("receive", { product, quantity: "5" }, options), first);
  assert.equal((await stockOf(product)).onHand, "5");
});

test("a reservation that lapses is free again, and cannot be picked", async () => {
  const product = "lapses";
  await call("receive", { id: "r", product, quantity: "5" });
  await call("reserve", { id: "long-ago", product, quantity: "5", until: "2011-06-01T00:00:00Z" });
  await assert.rejects(call("reserve", { id: "x", product, quantity: "5", until: "2011-13-41T00:00:00Z" }), { type: "MOMENT_INVALID" });
  const lapsed = await stockOf(product);
  assert.deepEqual(figures(lapsed), { onHand: "5", reserved: "0", available: "5" });
  assert.equal(lapsed.version, undefined, "it shows what no version has yet");
  await call("reserve", { id: "now", product, quantity: "5" });
  assert.equal((await stockOf(product)).version, 3);
  await assert.rejects(call("pick", { id: "long-ago", product }), { type: "RESERVATION_EXPIRED" });
});

test("a transfer takes goods and their costs to the other warehouse once, however often it is asked for", async () => {
  const product = "moves~far";
  await many("receive", { id: "r1", product, quantity: "2", cost: "1" }, { id: "r2", product, quantity: "5", cost: "3" });
  const transfer = { id: "t", product, to: "north", quantity: "3" };
  const [first, second] = await Promise.all([call("transfer", transfer), call("transfer", transfer)]);
  assert.deepEqual([first.cost, second.cost], ["5", "5"]);
  assert.deepEqual((await stockOf(product, "north")).lots, [
    { quantity: "2", cost: "1" },
    { quantity: "1", cost: "3" },
  ]);
  const { onHand, inTransit } = await stockOf(product);
  assert.deepEqual({ onHand, inTransit }, { onHand: "4", inTransit: "0" });
  await assert.rejects(call("transfer", { ...transfer, id: "t2", quantity: "5" }), { type: "STOCK_SHORT" });
  await assert.rejects(call("transfer", { ...transfer, id: "t3", to: "main" }), { type: "TRANSFER_NOWHERE" });
});

test("the ledger shows every movement once, page by page, and its sums are what is on hand and reserved", async () => {
  const product = "ledger";
  await call("receive", { id: "r", product, quantity: "20", cost: "1.25" });
  await many("reserve", ...Array.from({ length: 7 }, (_, n) => ({ id: `l${n}`, product, quantity: "2" })));
  await many("issue", ...Array.from({ length: 3 }, (_, n) => ({ id: `l${n}`, product })));
  await call("release", { id: "l6", product });
  const lines: { type: string; id: string; onHand: string; reserved: string; cost?: string }[] = [];
  for (let after: string | undefined; ; ) {
    const page = await call<{ items: typeof lines; next?: string }>("ledger", { product, limit: 5, after });
    assert.ok(page.items.length <= 5);
    lines.push(...page.items);
    after = page.next;
    if (!after) break;
  }
  assert.equal(lines.length, 12);
  assert.equal(new Set(lines.map(({ type, id }) => `${type} ${id}`)).size, 12);
  const sum = (field: "onHand" | "reserved") => String(lines.reduce((total, line) => total + Number(line[field]), 0));
  assert.deepEqual(figures(await stockOf(product)), { onHand: sum("onHand"), reserved: sum("reserved"), available: "8" });
  await assert.rejects(call("ledger", { product, after: "nonsense" }), { type: "CURSOR_INVALID" });
});

test("the list shows what there is of a product in every warehouse, at once where its last write is named", async () => {
  const product = "listed";
  await call("receive", { id: "r", product, quantity: "3", cost: "2" });
  await call("transfer", { id: "t", product, to: "east", quantity: "1" });
  const sold = await call<{ stock: string; version: number }>("writeOff", { id: "w", product, warehouse: "east", quantity: "0.5" });
  const { items } = await call<{ items: (Stock & { warehouse: string })[] }>("list", { product, seen: `${sold.stock}@${sold.version}` });
  const shown = items.map(({ warehouse, onHand, value }) => `${warehouse} ${onHand} ${value}`);
  assert.deepEqual(shown.sort(), ["east 0.5 1", "main 2 4"]);
});
