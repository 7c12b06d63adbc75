import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { startOtherNode } from "../test/support/other-node.ts";
import type { Tally, TallyEvent } from "../test/support/tally.service.ts";
import type { Actor } from "./actor.mixin.ts";
import { Rejected } from "./core/errors.ts";
import type { Versioned } from "./core/model.ts";
import { action } from "./core/params.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-creates-"));
process.env.DATA_DIR = DATA_DIR;
const { tallyModel } = await import("../test/support/tally.service.ts");
const { actor } = await import("./actor.mixin.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

type Answer = Versioned<Tally>;
type Room = Actor<Tally, TallyEvent>;
const params = { id: "string", amount: "number" } as const;
const returns = { id: "string", version: "number", sum: "number", words: { type: "array", items: "string" } } as const;

/** A room whose tallies are begun once, and added to later. */
const startNode = async (t: TestContext) => {
  const broker = new ServiceBroker({ logger: false });
  const begin = action({
    ...{ visibility: "public", params, returns },
    handler(this: Room, ctx) {
      const { id, amount } = ctx.params;
      const command = ({ words }: Tally): TallyEvent[] => {
        if (words.length > 0) throw new Rejected("TALLY_EXISTS", "There is one already", 409);
        return [{ type: "Added", amount, word: "begun" }];
      };
      return this.act(ctx, id, command, { creates: true });
    },
  });
  const add = action({
    ...{ visibility: "public", params, returns },
    handler(this: Room, ctx) {
      return this.act(ctx, ctx.params.id, () => [{ type: "Added", amount: ctx.params.amount }]);
    },
  });
  const get = action({
    ...{ visibility: "public", params: { id: "string" }, returns },
    async handler(this: Room, ctx) {
      return (await this.peek(ctx.params.id))!;
    },
  });
  broker.createService({ name: "tally", version: 1, mixins: [actor(tallyModel)], actions: { begin, add, get } } as ServiceSchema);
  await broker.start();
  t.after(() => broker.stop());
  const call = (verb: string, id: string, amount = 0, idempotencyKey?: string) =>
    broker.call<Answer, object>(`v1.tally.${verb}`, { id, amount }, { meta: { idempotencyKey } });
  return { call };
};

test("of many who begin the same at once, on two nodes, one does, and the others are told that it is there", async (t) => {
  const nodes = [await startNode(t), await startNode(t)];
  for (let n = 0; n < 50; n++) {
    const said = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => nodes[i % 2]!.call("begin", `s${n}`, i + 1)));
    const done = said.flatMap((s) => (s.status === "fulfilled" ? s.value : []));
    assert.equal(done.length, 1);
    for (const s of said) if (s.status === "rejected") assert.equal(s.reason.type, "TALLY_EXISTS");
    for (const { call } of nodes)
      assert.deepEqual([(await call("get", `s${n}`)).sum, (await call("get", `s${n}`)).version], [done[0]!.sum, 1]);
  }
});

test("what was begun elsewhere is found out by the append: the beginning comes to nothing, and what was decided on it is decided again", async (t) => {
  const node = await startNode(t);
  const other = await startOtherNode(t, DATA_DIR, "test/support/tally.service.ts");
  for (let n = 0; n < 20; n++) {
    const id = `e${n}`;
    await other.call("v1.tally.add", { id, amount: 5, word: "elsewhere" });
    const [begun, added, seen] = await Promise.allSettled([node.call("begin", id, 100), node.call("add", id, 1), node.call("get", id)]);
    assert.equal(begun.status === "rejected" && begun.reason.type, "TALLY_EXISTS");
    assert.equal(added.status === "fulfilled" && added.value.sum, 6);
    assert.ok(seen.status === "fulfilled" && seen.value.sum < 100, "nobody sees what was never stored");
    assert.equal((await other.call<Answer>("v1.tally.get", { id })).sum, 6);
  }
});

test("who begins again under the same key gets what he began, wherever he asks; another request under it is refused", async (t) => {
  const [one, two] = [await startNode(t), await startNode(t)];
  const first = await one.call("begin", "k", 7, "key");
  for (const { call } of [one, two, await startNode(t)]) {
    assert.deepEqual([(await call("begin", "k", 7, "key")).sum, (await call("begin", "k", 7, "key")).version], [first.sum, 1]);
    await assert.rejects(call("begin", "k", 8, "key"), { type: "KEY_REUSED" });
    await assert.rejects(call("begin", "k", 8, "another"), { type: "TALLY_EXISTS" });
  }
});
