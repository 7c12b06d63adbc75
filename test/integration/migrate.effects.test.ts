import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { missing } from "../servers/install.ts";
import { startServer } from "../servers/start.ts";
import { startMember } from "../support/members.ts";
import { startOtherNode, until } from "../support/other-node.ts";
import { folder, run } from "../support/system.ts";

const lacking = missing().filter((name) => name !== "redis");
const options = { skip: lacking.length > 0 && `not installed: ${lacking.join(", ")}: npm run servers -- --install` };

const migrate = async (from: string, to: string) => {
  const { code, stderr } = await run(["mixins/storage/migrate.command.ts", "--from", from, "--to", to, "--namespace", "moved"]);
  assert.equal(code, 0, stderr);
};

const servers = async (t: TestContext) => {
  const [mongo, nats] = await Promise.all([startServer("mongo"), startServer("nats")]);
  t.after(() => Promise.all([mongo.stop(), nats.stop()]));
  return { mongo: mongo.url, env: { MONGO_URL: mongo.url, TRANSPORTER: nats.url, BUS_MAX_MEGABYTES: "16", NAMESPACE: "moved" } };
};

interface Caller {
  call<T>(action: string, params: object): Promise<T>;
}
const add = ({ call }: Caller, id: string, word: string) => call("v1.tally.add", { id, amount: 1, word });
const rung = async ({ call }: Caller, id: string) => (await call<{ words: string[] }>("v1.bell.rung", { id })).words;
const letters = async ({ call }: Caller) =>
  (await call<{ items: { stream: string; version: number }[] }>("v1.bell.deadLetters.list", {})).items;
const heard = (node: Caller, id: string, words: number) => until(async () => (await rung(node, id)).length >= words);
const HOUSE = ["test/support/tally.service.ts", "test/support/bell.service.ts"];

test(
  "what subscribers did before a move is not done again after it, what they had not done is, and dead letters move along",
  options,
  async (t) => {
    const [data, back] = [folder(t), join(folder(t), "data")];
    const { mongo, env } = await servers(t);
    const first = await startOtherNode(t, data, ...HOUSE);
    for (const word of ["a1", "a2"]) await add(first, "a", word);
    for (const word of ["b1", "stuck", "b3"]) await add(first, "b", word);
    await heard(first, "a", 2);
    await until(async () => (await letters(first)).length === 1);
    await first.kill();
    const alone = await startOtherNode(t, data, HOUSE[0]!); // nobody is there to be told
    await add(alone, "a", "a3");
    await add(alone, "c", "c1");
    await alone.kill();

    await migrate(data, mongo);
    const member = await startMember(t, "there", { modules: HOUSE, env });
    await add(member, "a", "a4");
    await heard(member, "a", 4);
    await heard(member, "c", 1);
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((id) => rung(member, id))), [["a1", "a2", "a3", "a4"], ["b1"], ["c1"]]);
    assert.deepEqual(
      (await letters(member)).map(({ stream, version }) => [stream, version]),
      [["b", 2]],
    );
    await member.call("v1.bell.deadLetters.discard", { follower: "subscriber/tally", source: "tally", stream: "b" });
    await heard(member, "b", 2);
    await add(member, "b", "stuck");
    await until(async () => (await letters(member)).length === 1);
    await member.stop();

    await migrate(mongo, back);
    const home = await startOtherNode(t, back, ...HOUSE);
    for (const id of ["a", "c"]) await add(home, id, "home");
    await heard(home, "a", 5);
    await heard(home, "c", 2);
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((id) => rung(home, id))), [
      ["a1", "a2", "a3", "a4", "home"],
      ["b1", "b3"],
      ["c1", "home"],
    ]);
    assert.deepEqual(
      (await letters(home)).map(({ stream, version }) => [stream, version]),
      [["b", 4]],
    );
  },
);

const TRIPS = ["test/support/trips.service.ts"];
interface Told {
  words: string[];
}

test("sagas that had ended are seen as ended, and one that was under way is carried through on the other side", options, async (t) => {
  const [data, back] = [folder(t), join(folder(t), "data")];
  const { mongo, env } = await servers(t);
  const steps = async ({ call }: Caller, id: string) => (await call<Told>("v1.trips.words", { id })).words;
  const first = await startOtherNode(t, data, ...TRIPS);
  assert.deepEqual(await first.call("v1.trips.make", { id: "done", plan: {} }), { status: "completed" });
  assert.deepEqual(await first.call("v1.trips.make", { id: "undone", plan: { "pay+": "refused" } }), { status: "undone" });
  const before = await Promise.all(["done", "undone"].map((id) => steps(first, id)));
  await first.call("v1.trips.ask", { id: "half", plan: { "pay+": "hangs" } });
  await until(async () => (await steps(first, "half")).includes("pay+?"));
  await first.kill();

  await migrate(data, mongo);
  const member = await startMember(t, "there", { modules: TRIPS, env });
  const statuses = async ({ call }: Caller, ...ids: string[]) =>
    Promise.all(ids.map(async (id) => (await call<{ status: string }>("v1.trips.sagas.get", { id: `trip~${id}` })).status));
  await until(async () => (await statuses(member, "half"))[0] === "completed");
  assert.deepEqual(await steps(member, "half"), ["seat+", "room+", "pay+?", "pay+ seat 7", "print+"]);
  await member.call("v1.trips.make", { id: "third", plan: {} });
  assert.deepEqual(await Promise.all(["done", "undone"].map((id) => steps(member, id))), before);
  const listed = await member.call<{ items: { id: string }[] }>("v1.trips.sagas.list", { status: "completed" });
  assert.deepEqual(
    listed.items.map(({ id }) => id),
    ["trip~done", "trip~half", "trip~third"],
  );
  await member.stop();

  await migrate(mongo, back);
  const home = await startOtherNode(t, back, ...TRIPS);
  assert.deepEqual(await home.call("v1.trips.make", { id: "fourth", plan: {} }), { status: "completed" });
  assert.deepEqual(await statuses(home, "done", "undone", "half", "third"), ["completed", "undone", "completed", "completed"]);
  assert.deepEqual(await Promise.all(["done", "undone"].map((id) => steps(home, id))), before);
});
