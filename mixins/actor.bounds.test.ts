import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { chain } from "../test/support/event-store.contract.ts";
import { until } from "../test/support/other-node.ts";
import type { Tally, TallyEvent } from "../test/support/tally.service.ts";
import type { Actor } from "./actor.mixin.ts";
import type { Model, Versioned } from "./core/model.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-bounds-"));
process.env.DATA_DIR = DATA_DIR;
const { default: tally, tallyModel } = await import("../test/support/tally.service.ts");
const { actor } = await import("./actor.mixin.ts");
const { openEventStore } = await import("./storage/open.ts");
const { PAGE_SIZE } = await import("./storage/event-store.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

type Page = { items: { version: number }[]; next?: number };
const HEAVY = "x".repeat(900_000);
/** Keeps the last word only, as an amended deal keeps its lines. */
const lastWord: Model<Tally, TallyEvent> = {
  ...tallyModel,
  evolve: ({ sum }, { amount, word }) => ({ sum: sum + amount, words: word ? [word] : [] }),
};

const startNode = async (t: TestContext, model = lastWord, memory?: number) => {
  const broker = new ServiceBroker({ logger: false });
  const service = broker.createService({ ...tally, mixins: [actor(model, memory)] } as ServiceSchema);
  await broker.start();
  t.after(() => broker.stop());
  const call = <T = Versioned<Tally>>(action: string, params: object) => broker.call<T, object>(`v1.tally.${action}`, params);
  return { call, load: (service as unknown as Actor<Tally, TallyEvent>).load };
};

/** A stream of changes of almost a megabyte each, and who looks at how it is read. */
const heavyStream = async (t: TestContext, id: string, length: number) => {
  const store = openEventStore("tally");
  t.after(() => store.close());
  const commits = chain(id, length, (n) => ({ events: [{ type: "Added", amount: 1, word: HEAVY } as TallyEvent], occurredAt: n + 1 }));
  for (const commit of commits) await store.append(commit);
  const read = t.mock.method(store, "read");
  const pages = async () => (await Promise.all(read.mock.calls.map(({ result }) => result!))).map((page) => page.length);
  return { store, pages, forget: () => read.mock.resetCalls() };
};

test("a stream of large changes is woken, seen at a moment and told in pages of a few megabytes", async (t) => {
  const { store, pages, forget } = await heavyStream(t, "heavy", 40);
  const most = PAGE_SIZE / HEAVY.length;
  const node = await startNode(t);
  assert.equal((await node.call("get", { id: "heavy" })).sum, 40);
  assert.ok((await pages()).every((length) => length <= most));
  await until(() => store.snapshot("heavy"));

  forget();
  const again = await startNode(t);
  assert.equal((await again.call("get", { id: "heavy" })).sum, 40);
  assert.ok((await pages()).reduce((sum, length) => sum + length, 0) <= most, "a snapshot saves reading what is large");

  forget();
  assert.equal((await node.call("get", { id: "heavy", at: 33 })).sum, 33);
  assert.equal((await node.call("get", { id: "heavy", at: 40 })).sum, 40);
  await assert.rejects(node.call("get", { id: "heavy", at: 0 }), { code: 404 });
  assert.ok((await pages()).every((length) => length <= most));

  const versions: number[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: Page = await node.call<Page>("history", { id: "heavy", limit: 200, after });
    assert.ok(page.items.length > 0 && page.items.length <= most);
    versions.push(...page.items.map(({ version }) => version));
    after = page.next;
  }
  assert.deepEqual(
    versions,
    Array.from({ length: 40 }, (_, n) => n + 1),
  );
});

test("between two pages of a long stream it is the others' turn", async (t) => {
  const { store } = await heavyStream(t, "long", 20);
  const node = await startNode(t);
  let turns = 0;
  const count = () => {
    turns++;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  t.after(() => clearImmediate(turning));
  for (const params of [{ id: "long" }, { id: "long", at: 20 }]) {
    const at: number[] = [];
    const { read } = store;
    t.mock.method(store, "read", async (...which: Parameters<typeof read>) => {
      const turn = turns;
      const page = await read.apply(store, which);
      if (page.length > 0) at.push(turn);
      return page;
    });
    await node.call("get", params);
    const pages = at.slice(1); // the first of all tells only that it is a long one
    assert.ok(pages.length >= 4);
    assert.equal(new Set(pages).size, pages.length);
  }
});

test("an actor that grows while it is in memory counts for what it weighs now", async (t) => {
  const node = await startNode(t, lastWord, 5_000_000);
  const ids = Array.from({ length: 20 }, (_, n) => `grows${n}`);
  for (const id of ids) await node.call("add", { id, amount: 1 });
  assert.equal(node.load().active, 20);
  for (const id of ids) await node.call("add", { id, amount: 1, word: HEAVY });
  assert.ok(node.load().active <= 5, `${node.load().active} of 900 KB each are in 5 MB`);
  for (const id of ids) assert.deepEqual(await node.call("get", { id }), { id, version: 2, sum: 2, words: [HEAVY] });
});
