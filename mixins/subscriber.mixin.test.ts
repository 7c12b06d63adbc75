import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { startOtherNode, until } from "../test/support/other-node.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-subscriber-"));
process.env.DATA_DIR = DATA_DIR;
const { default: tally, tallyModel } = await import("../test/support/tally.service.ts");
const { listenerRoom } = await import("../test/support/listener.service.ts");
const { actor } = await import("./actor.mixin.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

interface Heard {
  sum: number;
  words: string[];
}
interface Letter {
  follower: string;
  source: string;
  stream: string;
  version: number;
  type: string;
  attempts: number;
  error: string;
  stack?: string;
  at: string;
}

const MODULES = ["test/support/tally.service.ts", "test/support/listener.service.ts"];
const numbers = (many: number) => Array.from({ length: many }, (_, n) => String(n + 1));

/** A room of tallies of the test's own, and one that listens to it. */
const startNode = async (t: TestContext, apart: string, refuses?: (word: string) => boolean) => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService({ ...tally, name: `tally${apart}`, mixins: [actor(tallyModel)] } as ServiceSchema);
  broker.createService(listenerRoom(`tally${apart}`, refuses));
  await broker.start();
  t.after(() => broker.stop());
  const call = <T>(action: string, params: object = {}) => broker.call<T, object>(`v1.listener.${action}`, params);
  const add = (id: string, word?: string, options: object = {}) =>
    broker.call(`v1.tally${apart}.add`, { id, amount: 1, ...(word && { word }) }, options);
  const letters = async () => (await call<{ items: Letter[] }>("deadLetters.list")).items;
  return { add, call, heard: (id: string) => call<Heard>("heard", { id }), letters };
};

test("what happens in one room has its one effect in another, in the order of its stream", async (t) => {
  const { add, heard } = await startNode(t, "effects");
  await Promise.all(
    numbers(20).map(async (s) => {
      for (let n = 0; n < 30; n++) await add(`effects${s}`);
    }),
  );
  for (const s of numbers(20)) {
    await until(async () => (await heard(`effects${s}`)).sum >= 30);
    assert.deepEqual(await heard(`effects${s}`), { sum: 30, words: numbers(30) });
  }
});

test("an effect is made in the name of whoever was the cause of it, in the course of the same request, at the same time", async (t) => {
  const { add, call, heard } = await startNode(t, "causes");
  const meta = { user: { id: "anna", roles: [] }, occurredAt: Date.UTC(2011, 5, 1) };
  await add("caused", undefined, { meta, requestID: "req-9" });
  await until(async () => (await heard("caused")).sum === 1);
  const { items } = await call<{ items: Record<string, unknown>[] }>("history", { id: "caused" });
  const { by, request, occurredAt, cause } = items[0]!;
  assert.deepEqual(
    { by, request, occurredAt, cause },
    { by: "anna", request: "req-9", occurredAt: "2011-06-01T00:00:00.000Z", cause: "tallycauses/caused@1" },
  );
});

test("what a room refuses after all attempts is a dead letter that says why; its stream waits until it is replayed", async (t) => {
  let deaf = true;
  const { add, heard, call, letters } = await startNode(t, "replayed", (word) => deaf && word.startsWith("loud"));
  await add("r-bad");
  await add("r-bad", "loud");
  await add("r-bad");
  await add("r-good");
  const [letter] = await until(async () => {
    const found = await letters();
    return found.length > 0 && found;
  });
  const { at, stack, ...said } = letter!;
  assert.deepEqual(said, {
    ...{ follower: "subscriber/tallyreplayed", source: "tallyreplayed", stream: "r-bad", version: 2, type: "Added" },
    ...{ attempts: 2, error: "It will not hear loud2" },
  });
  assert.ok(Date.parse(at) <= Date.now() && stack!.includes("It will not hear loud2"));
  await until(async () => (await heard("r-good")).sum === 1);
  assert.deepEqual((await heard("r-bad")).words, ["1"]);
  deaf = false;
  const { follower, source, stream } = letter!;
  await assert.rejects(call("deadLetters.replay", { follower, source, stream: "r-good" }), { type: "DEAD_LETTER_NOT_FOUND", code: 404 });
  await call("deadLetters.replay", { follower, source, stream });
  await until(async () => (await heard("r-bad")).sum === 3);
  assert.deepEqual((await heard("r-bad")).words, ["1", "loud2", "3"]);
  assert.deepEqual(await letters(), []);
});

test("a dead letter that is discarded is passed over, and its stream goes on after it", async (t) => {
  const { add, heard, call, letters } = await startNode(t, "discarded", (word) => word.startsWith("loud"));
  for (const word of ["", "loud", ""]) await add("d-bad", word);
  const [letter] = await until(async () => {
    const found = await letters();
    return found.length > 0 && found;
  });
  const { follower, source, stream } = letter!;
  await call("deadLetters.discard", { follower, source, stream });
  await until(async () => (await heard("d-bad")).sum === 2);
  assert.deepEqual((await heard("d-bad")).words, ["1", "3"]);
  await add("d-bad");
  await until(async () => (await heard("d-bad")).sum === 3);
});

test("two processes listen to the same room: each thing has one effect, whoever of them makes it", async (t) => {
  const nodes = await Promise.all([startOtherNode(t, DATA_DIR, ...MODULES), startOtherNode(t, DATA_DIR, ...MODULES)]);
  await Promise.all(
    numbers(10).map(async (s) => {
      for (let n = 0; n < 20; n++) {
        await until(() =>
          nodes[n % 2]!.call("v1.tally.add", { id: `shared${s}`, amount: 1 }).catch(({ type }) => type !== "VERSION_CONFLICT"),
        );
      }
    }),
  );
  for (const s of numbers(10)) {
    await until(async () => (await nodes[1].call<Heard>("v1.listener.heard", { id: `shared${s}` })).sum >= 20);
    assert.deepEqual(await nodes[0].call<Heard>("v1.listener.heard", { id: `shared${s}` }), { sum: 20, words: numbers(20) });
  }
});

test("the process that listens dies in the midst of it, again and again: another one goes on, and nothing has two effects or none", async (t) => {
  const streams = numbers(5).map((s) => `killed${s}`);
  let node = await startOtherNode(t, DATA_DIR, ...MODULES);
  const done = new Map(streams.map((id) => [id, 0]));
  for (let round = 0; round < 3; round++) {
    const heir = await startOtherNode(t, DATA_DIR, ...MODULES);
    const writing = streams.map(async (id) => {
      for (let n = 0; n < 20; n++) {
        await heir.call("v1.tally.add", { id, amount: 1 });
        done.set(id, done.get(id)! + 1);
      }
    });
    await writing[0];
    await node.kill();
    await Promise.all(writing);
    node = heir;
  }
  for (const id of streams) {
    const heard = () => node.call<Heard>("v1.listener.heard", { id });
    await until(async () => (await heard()).sum >= done.get(id)!);
    assert.deepEqual(await heard(), { sum: 60, words: numbers(60) });
  }
});

test("a process that was held still for so long that another took over does no harm when it goes on", async (t) => {
  const slow = await startOtherNode(t, DATA_DIR, ...MODULES);
  await slow.call("v1.tally.add", { id: "paused", amount: 1 });
  await until(async () => (await slow.call<Heard>("v1.listener.heard", { id: "paused" })).sum === 1);
  const quick = await startOtherNode(t, DATA_DIR, ...MODULES);
  slow.pause();
  for (let n = 0; n < 5; n++) await quick.call("v1.tally.add", { id: "paused", amount: 1 });
  const heard = (node = quick) => node.call<Heard>("v1.listener.heard", { id: "paused" });
  await until(async () => (await heard()).sum >= 6);
  slow.resume();
  for (let n = 0; n < 5; n++) await slow.call("v1.tally.add", { id: "paused", amount: 1 });
  await until(async () => (await heard()).sum >= 11);
  assert.deepEqual(await heard(slow), { sum: 11, words: numbers(11) });
});
