import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Answer, call, figures, many, startProcess, stockOf } from "./inventory.room.ts";

test("a transfer that stopped half-way is in transit, and goes on from there when it is asked for again, or by itself", async () => {
  const products = ["half1", "half2"];
  const to = "full";
  for (const product of products) {
    await call("receive", { id: "r", product, quantity: "5", cost: "2" });
    await call("receive", { id: "r", product, warehouse: to, quantity: "99999999999" });
    await assert.rejects(call("transfer", { id: "t", product, to, quantity: "3" }), { type: "STOCK_LIMIT" });
    assert.equal((await stockOf(product)).inTransit, "3");
    await call("writeOff", { id: "w", product, warehouse: to, quantity: "10" });
  }
  await call("transfer", { id: "t", product: "half1", to, quantity: "3" });
  assert.equal((await stockOf("half1")).inTransit, "0");
  while ((await stockOf("half2")).inTransit !== "0") await turn();
  for (const product of products) assert.deepEqual((await stockOf(product, to)).lots.at(-1), { quantity: "3", cost: "2" });
});

test("what a process had sent when it died arrives all the same", async (t) => {
  const products = Array.from({ length: 40 }, (_, n) => `sent${n}`);
  await many("receive", ...products.map((product) => ({ id: "r", product, quantity: "9", cost: "1" })));
  const node = await startProcess(t);
  const ended = once(node.child, "exit");
  for (const product of products) {
    void node.call("transfer", { id: "t", product, to: "south", quantity: "4" }).then(() => node.child.kill("SIGKILL"));
  }
  await ended;
  for (const product of products) {
    let here = await stockOf(product);
    for (; here.inTransit !== "0"; here = await stockOf(product)) await turn();
    const there = here.onHand === "9" ? "0" : (await stockOf(product, "south")).onHand;
    assert.equal(Number(here.onHand) + Number(there), 9);
  }
});

test("two processes race for the last unit: one gets it, time after time", async (t) => {
  const [one, two] = await Promise.all([startProcess(t), startProcess(t)]);
  for (let n = 0; n < 25; n++) {
    const product = `last${n}`;
    await call("receive", { id: "r", product, quantity: "1" });
    const racers = [one, two].map((node, i) => node.call<Answer>("reserve", { id: `racer${i}`, product, quantity: "1" }));
    const mine = call("reserve", { id: "racer2", product, quantity: "1" }).then(
      (answer) => ({ answer }),
      (error) => ({ error: error.type }),
    );
    const said = await Promise.all([...racers, mine]);
    assert.equal(said.filter((it) => "answer" in it && it.answer).length, 1);
    assert.equal(said.filter((it) => "error" in it && it.error === "STOCK_SHORT").length, 2);
    assert.deepEqual(figures(await stockOf(product)), { onHand: "1", reserved: "1", available: "0" });
  }
});

test("two processes sell one stock at the same time: no unit is sold twice, and none is lost", async (t) => {
  const product = "shared";
  await call("receive", { id: "r", product, quantity: "100" });
  const nodes = await Promise.all([startProcess(t), startProcess(t)]);
  const waves = Array.from({ length: 40 }, (_, wave) =>
    Array.from({ length: 4 }, (_, n) => ({ id: `w${wave}~${n}`, product, quantity: "1" })),
  );
  const said = await Promise.all(waves.map((items, wave) => nodes[wave % 2]!.call<{ items: Answer[] }>("reserveMany", { items })));
  const held = new Set<string>();
  for (const [wave, { answer, error }] of said.entries()) {
    if (error) assert.equal(error, "VERSION_CONFLICT"); // it lost every race: whoever called asks again
    for (const { id, ok } of answer?.items ?? (await many("reserve", ...waves[wave]!))) if (ok) held.add(id);
  }
  assert.equal(held.size, 100);
  assert.deepEqual(figures(await stockOf(product)), { onHand: "100", reserved: "100", available: "0" });
});

test("the same movement is asked of two processes at once: it is done once, and both hear the same", async (t) => {
  const product = "twice";
  await call("receive", { id: "r", product, quantity: "1000", cost: "2" });
  const nodes = await Promise.all([startProcess(t), startProcess(t)]);
  /** Asks until it hears something: an actor that lost every race says so, and is asked again. */
  const ask = async (node: (typeof nodes)[number], verb: string, params: object) => {
    for (;;) {
      const { answer, error } = await node.call<Answer>(verb, params);
      if (!error) return answer!.cost;
      assert.equal(error, "VERSION_CONFLICT");
    }
  };
  for (let n = 0; n < 10; n++) {
    const id = `n${n}`;
    await call("reserve", { id, product, quantity: "5" });
    const movements: [string, object][] = [
      ["receive", { id, product, quantity: "10", cost: "2" }],
      ["writeOff", { id, product, quantity: "1" }],
      ["takeBack", { id, product, quantity: "2", cost: "2" }],
      ["pick", { id, product, quantity: "3", pick: `${id}~1` }],
      ["transfer", { id, product, to: "west", quantity: "4" }],
    ];
    await Promise.all(
      movements.map(async ([verb, params]) => {
        const [one, two] = await Promise.all(nodes.map((node) => ask(node, verb, params)));
        assert.equal(one, two);
      }),
    );
  }
  const { onHand, reserved, inTransit } = await stockOf(product);
  assert.deepEqual({ onHand, reserved, inTransit }, { onHand: "1040", reserved: "20", inTransit: "0" });
  assert.equal((await stockOf(product, "west")).onHand, "40");
});

test("a process dies in the middle of its deals: what was answered is there, and asking for all of it again doubles nothing", async (t) => {
  const products = Array.from({ length: 20 }, (_, n) => `crash${n}`);
  await many("receive", ...products.map((product) => ({ id: "r", product, quantity: "100", cost: "1" })));
  const node = await startProcess(t);
  const deal = (d: number) => products.map((product, n) => ({ id: `deal${d}~${n}`, product, quantity: "1" }));
  const answered = new Set<number>();
  const ended = once(node.child, "exit");
  for (let d = 0; d < 50; d++) {
    void node.call("reserveMany", { items: deal(d) }).then(async ({ answer }) => {
      if (!answer) return;
      answered.add(d);
      if (answered.size === 10) node.child.kill("SIGKILL");
      else await node.call("issueMany", { items: deal(d) });
    });
  }
  await ended;
  for (const d of answered) assert.ok((await many("reserve", ...deal(d))).every(({ ok }) => ok));
  for (let d = 0; d < 50; d++) {
    assert.ok((await many("reserve", ...deal(d))).every(({ ok }) => ok));
    assert.ok((await many("issue", ...deal(d))).every(({ ok, cost }) => ok && cost === "1"));
  }
  for (const product of products) assert.deepEqual(figures(await stockOf(product)), { onHand: "50", reserved: "0", available: "50" });
});
