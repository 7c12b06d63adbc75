import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type CallingOptions, ServiceBroker } from "moleculer";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-inventory-"));
process.env.DATA_DIR = DATA_DIR; // before anything reads the configuration
const { default: inventory } = await import("../../services/inventory/inventory.service.ts");

interface Answer {
  id: string;
  ok: boolean;
  cost?: string;
  available?: string;
  reason?: string;
}
interface Stock {
  onHand: string;
  reserved: string;
  available: string;
  inTransit: string;
  value: string;
  lots: { quantity: string; cost: string }[];
  version?: number;
}

const newBroker = () => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService(inventory);
  return broker;
};
const broker = newBroker();
before(() => broker.start());
after(async () => {
  await broker.stop();
  rmSync(DATA_DIR, { recursive: true, force: true });
});

const call = <T = Answer>(verb: string, params: object, options?: CallingOptions): Promise<T> =>
  broker.call(`v1.inventory.${verb}`, params, options);
const many = async (verb: string, ...items: object[]) => (await call<{ items: Answer[] }>(`${verb}Many`, { items })).items;
const stockOf = (product: string, warehouse = "main") => call<Stock>("get", { product, warehouse });
const figures = ({ onHand, reserved, available }: Stock) => ({ onHand, reserved, available });

/** Another process with the room on the same files. */
const startProcess = async (t: TestContext) => {
  const child: ChildProcess = fork(join(import.meta.dirname, "inventory.process.ts"), { env: { ...process.env, DATA_DIR } });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  const waiting = new Map<number, (said: { answer?: unknown; error?: string }) => void>();
  let n = 0;
  child.on("message", (said: { n: number; answer?: unknown; error?: string }) => waiting.get(said.n)?.(said));
  return {
    child,
    call: <T>(verb: string, params: object): Promise<{ answer?: T; error?: string }> =>
      new Promise((resolve) => {
        waiting.set(++n, resolve as (said: object) => void);
        child.send({ n, action: `v1.inventory.${verb}`, params });
      }),
  };
};

test("ten thousand buyers, five hundred at a time, want one each of a thousand: a thousand hold it, nine thousand are refused", async () => {
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
  assert.deepEqual(figures(await stockOf(product)), { onHand: "1000", reserved: "1000", available: "0" });
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
  await call("reserve", { id: "early", product, quantity: "3", askedAt });
  await call("pick", { id: "early", product });
  await call("release", { id: "given-up", product, askedAt });
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
  await call("reserve", { id: "long-ago", product, quantity: "5", until: 1_000 });
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
