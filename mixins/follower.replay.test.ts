import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ServiceSchema } from "moleculer";
import { until } from "../test/support/other-node.ts";
import { settle } from "../test/support/setting.ts";

settle();
const { ServiceBroker } = await import("moleculer");
const { default: tally, tallyModel } = await import("../test/support/tally.service.ts");
const { listenerRoom } = await import("../test/support/listener.service.ts");
const { actor } = await import("./actor.mixin.ts");
const { subscriber } = await import("./subscriber.mixin.ts");

type Event = import("../test/support/tally.service.ts").TallyEvent;

interface Heard {
  sum: number;
  words: string[];
}

/** A room of tallies of the test's own, and one that listens to it unless it is deaf, and then lets pass what it should have heard. */
const start = async (t: TestContext, name: string) => {
  const broker = new ServiceBroker({ logger: false });
  const [source, ear] = [`tally${name}`, `listener${name}`];
  const state = { deaf: false, refuses: false };
  const handler = ({ word = "" }: Event, { stream: id, version }: { stream: string; version: number }) => {
    if (state.refuses) throw new Error("it refuses");
    return state.deaf ? [] : [{ action: `v1.${ear}.note`, params: { id, word: `${word}${version}` } }];
  };
  const mixins = [actor(tallyModel), subscriber({ [`${source}.Added`]: handler }, { maxAttempts: 1 })];
  broker.createService({ ...tally, name: source, mixins: [actor(tallyModel)] } as ServiceSchema);
  broker.createService({ ...listenerRoom(source), name: ear, mixins } as ServiceSchema);
  await broker.start();
  t.after(() => broker.stop());
  const call = <T>(action: string, params: object = {}) => broker.call<T, object>(`v1.${ear}.${action}`, params);
  const follower = `subscriber/${source}`;
  return {
    state,
    call,
    follower,
    add: (id: string) => broker.call(`v1.${source}.add`, { id, amount: 1 }),
    words: async (id: string) => (await call<Heard>("heard", { id })).words,
    replay: (since?: number) =>
      until(async () => {
        const told = await call<{ here: boolean; commits: number; streams: number }>("followers.replay", {
          follower,
          ...(since && { since }),
        });
        return told.here && { commits: told.commits, streams: told.streams };
      }),
    /** Resolves when it has taken in all that there is. */
    caughtUp: () =>
      until(async () => {
        const { items } = await call<{ items: { position: number; end: number }[] }>("followers.list");
        return items[0]!.position >= items[0]!.end;
      }),
  };
};

test("what a follower missed follows when its events come again, and what it did is not done twice", async (t) => {
  const { state, add, words, replay, caughtUp } = await start(t, "again");
  for (let n = 0; n < 3; n++) await add("a");
  await until(async () => (await words("a")).length === 3);
  state.deaf = true;
  for (let n = 0; n < 2; n++) await add("a");
  await add("b");
  await caughtUp();
  await until(async () => (await words("a")).length === 3);
  state.deaf = false;
  assert.deepEqual(await replay(), { commits: 6, streams: 2 });
  await until(async () => (await words("b")).length === 1);
  await until(async () => (await words("a")).length === 5);
  assert.deepEqual(await words("a"), ["1", "2", "3", "4", "5"]);
  await add("a");
  await until(async () => (await words("a")).length === 6);
});

test("from a moment on, only what was committed since comes again", async (t) => {
  const { state, add, words, replay, caughtUp } = await start(t, "since");
  state.deaf = true;
  for (let n = 0; n < 3; n++) await add("a");
  await add("b");
  await new Promise((resolve) => setTimeout(resolve, 5)); // the clock must go on
  const since = Date.now();
  for (let n = 0; n < 2; n++) await add("a");
  await caughtUp();
  state.deaf = false;
  assert.deepEqual(await replay(since), { commits: 2, streams: 1 });
  await until(async () => (await words("a")).length === 2);
  await caughtUp();
  assert.deepEqual([await words("a"), await words("b")], [["4", "5"], []]);
});

test("a stream that waits behind a dead letter has it all again once it goes on", async (t) => {
  const { state, add, words, replay, call, follower, caughtUp } = await start(t, "parked");
  state.deaf = true;
  await add("a");
  await add("b");
  await caughtUp();
  state.refuses = true;
  await add("a");
  const letters = async () => (await call<{ items: { stream: string; source: string; version: number }[] }>("deadLetters.list")).items;
  const [letter] = await until(async () => {
    const found = await letters();
    return found.length > 0 && found;
  });
  assert.equal(letter!.version, 2);
  Object.assign(state, { deaf: false, refuses: false });
  await replay();
  await until(async () => (await words("b")).length === 1);
  assert.deepEqual(await words("a"), []);
  const { version } = (await letters())[0]!;
  assert.equal(version, 1);
  await call("deadLetters.replay", { follower, source: letter!.source, stream: "a" });
  await until(async () => (await words("a")).length === 2);
  assert.deepEqual(await words("a"), ["1", "2"]);
});
