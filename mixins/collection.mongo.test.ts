import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { type Collection, MongoClient } from "mongodb";
import { without } from "../test/support/cluster.ts";
import { collectionContract, type Note, noteRoom } from "../test/support/collection.contract.ts";
import { until } from "../test/support/other-node.ts";
import { type BadNetwork, startProxy } from "../test/support/proxy.ts";
import { onStandIn, settleOnMongo } from "../test/support/setting.ts";
import type { MongoRecord } from "./storage/mongo.record.ts";
import type { DocumentRow } from "./storage/mongo.rows.ts";

describe("a collection on MongoDB", { skip: without("mongo") }, async () => {
  let network: BadNetwork;
  let direct: MongoClient;
  const server = await settleOnMongo(async (url) => {
    const { hostname, port } = new URL(url);
    network = await startProxy(Number(port || 27017), hostname);
    direct = new MongoClient(url);
    return `mongodb://127.0.0.1:${network.port}/?directConnection=true`;
  });
  const { collection } = await import("./collection.mixin.ts");

  const call = collectionContract(collection(noteRoom));
  /** Another node, with the same room. */
  const other = new ServiceBroker({ logger: false });
  other.createService(collection(noteRoom));
  const there: typeof call = (action, params, meta = {}) => other.call(`v1.notes.${action}`, params, { meta }) as never;
  const rows = (): Collection<DocumentRow> => direct.db(`${process.env.NAMESPACE}_notes`).collection<DocumentRow>("documents");
  const outbox = () =>
    (other.getLocalService("v1.notes") as unknown as { adapter: { documents: { outbox: MongoRecord } } }).adapter.documents.outbox;

  before(() => other.start());
  after(async () => {
    network.letGo();
    await other.stop();
    await direct.close();
    await network.stop();
  });

  let keys = 0;
  const keyed = (more: object = {}) => ({ user: { id: "u", roles: [] }, idempotencyKey: `k${++keys}`, ...more });
  const outcome = (work: Promise<unknown>) =>
    work.then(
      (answer) => answer,
      ({ type }) => type as string,
    );
  const again = <T>(work: () => Promise<T>) => until(() => work().catch(() => undefined));

  test("the connection is cut after the server stored and before it answered: the write is known to be there, and its repeat is no other one", async () => {
    const meta = keyed();
    await call("create", { id: "cut", title: "Cut" });
    for (const [action, params, version] of [
      ["create", { title: "Lost" }, 1],
      ["update", { id: "cut", title: "Cut again" }, 2],
      ["remove", { id: "cut" }, 3],
    ] as const) {
      const own = { ...meta, idempotencyKey: `${meta.idempotencyKey}-${action}` };
      const last = (await rows().find().sort({ "_write.at": -1 }).limit(1).toArray())[0]!._write.id;
      network.hold("update\0"); // the command by which it is stored; what is looked at before is answered
      const lost = outcome(call(action, params, own));
      const stored = await until(async () => {
        const row = await rows().findOne({ "_write.keys.once": JSON.stringify(["u", own.idempotencyKey]) });
        return row?._write.id === last ? undefined : (row ?? undefined);
      });
      network.cut();
      network.letGo();
      const answer = (await lost) as Note;
      assert.deepEqual([answer.id, answer.version], [stored._id, version]);
      assert.deepEqual(await again(() => there<Note>(action, params, own)), answer);
      assert.equal((await rows().findOne({ _id: stored._id }))!.version, version);
    }
  });

  test("many writers on two nodes change one note at once: none of the changes is lost", async () => {
    await call("create", { id: "hot", title: "Hot" });
    const changes = Array.from({ length: 40 }, (_, n) => (n % 2 ? call : there)("update", { id: "hot", title: `Hot ${n}` }));
    const versions = (await Promise.all(changes)).map(({ version }) => version);
    assert.deepEqual(
      versions.toSorted((a, b) => a - b),
      Array.from({ length: 40 }, (_, n) => n + 2),
    );
  });

  test("of two who have read the same version on two nodes, one changes it and the other is told", async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await call("create", { title: "Shared" });
      const both = await Promise.all([call, there].map((on, n) => outcome(on("update", { id, title: `by ${n}` }, { ifVersion: 1 }))));
      assert.equal(both.filter((said) => said === "VERSION_MISMATCH").length, 1);
      assert.equal((await call("get", { id })).version, 2);
    }
  });

  test("one key comes to two nodes at once, many times: one effect, one answer", async () => {
    for (let round = 0; round < 10; round++) {
      const ask = async (action: string, params: object, more: object = {}) => {
        const meta = keyed(more);
        const answers = await Promise.all([call, there, call, there].map((on) => on(action, params, meta)));
        for (const answer of answers) assert.deepEqual(answer, answers[0]);
        assert.deepEqual(await there(action, params, meta), answers[0]);
        return answers[0]!;
      };
      const made = await ask("create", { title: `One ${round}` });
      assert.equal((await ask("update", { id: made.id, title: "Changed" }, { ifVersion: 1 })).version, 2);
      const items = [1, 2, 3].map((n) => ({ id: `once-${round}-${n}`, title: "Many" }));
      const { created, unchanged } = (await ask("saveMany", { items })) as unknown as { created: number; unchanged: number };
      assert.equal(created + unchanged, 3); // where they overtook each other, the last one found some there
      for (const { id } of items) assert.equal((await call("get", { id })).version, 1);
      assert.equal((await ask("remove", { id: made.id })).version, 3);
    }
  });

  test("a save of many that was cut off in the middle is completed by repeating it", async () => {
    const items = Array.from({ length: 20 }, (_, n) => ({ id: `cut-off-${n}`, title: `Cut off ${n}` }));
    const meta = keyed();
    const ids = items.map(({ id }) => id);
    await call("saveMany", { items }, meta);
    await rows().deleteMany({ _id: { $in: ids.slice(12) } }); // as if it had come no further
    const repeated = await there("saveMany", { items }, meta);
    assert.deepEqual(repeated, { created: 8, changed: 0, unchanged: 12, skipped: 0 });
    assert.deepEqual(await call("saveMany", { items }, meta), repeated);
    assert.deepEqual(await rows().countDocuments({ _id: { $in: ids }, version: 1 }), 20);
  });

  test("a key that another request used is refused on the documents that it wrote; they keep the latest 32, which nobody sees", async () => {
    const meta = keyed();
    const { id } = await call("create", { title: "Keys" }, meta);
    await assert.rejects(there("update", { id, title: "Other" }, meta), { type: "KEY_REUSED" });
    for (let n = 0; n < 40; n++) await call("update", { id, stars: n % 5 }, keyed());
    const row = (await rows().findOne({ _id: id }))!;
    assert.equal(row._write.keys!.length, 32);
    const page = await call<{ commits: { stream: string }[] }>("commits", { limit: 1_000 });
    for (const seen of [await call("get", { id }), await outbox().read(id, 0), page]) {
      assert.doesNotMatch(JSON.stringify(seen), /_write|"once"|"keys"/);
    }
  });

  test("a cursor that somebody made up asks for nothing but a place", async () => {
    for (const key of ['[[{"$gt":0}]]', '[[{"a":{"$where":"1"}}]]', "[[1],[2]]", "[[[1]]]", "[1]", "{}", "3bff"]) {
      const after = Buffer.from(JSON.stringify(["stars", key, "n1"])).toString("base64url");
      await assert.rejects(call("list", { after, sort: "stars" }), { type: "CURSOR_INVALID", code: 400 }, key);
    }
  });

  test("what was stored is told to the outbox, and stays marked until just that was published", async () => {
    const told: string[] = [];
    outbox().onCommitted = (commits) => told.push(...commits.map(({ stream, version }) => `${stream}@${version}`));
    await there("saveMany", { items: [1, 2, 3].map((n) => ({ id: `out${n}`, title: "Out" })) });
    await there("remove", { id: "out3" });
    outbox().onCommitted = undefined;
    await there("update", { id: "out2", title: "Unheard" });
    assert.deepEqual(told, ["out1@1", "out2@1", "out3@1", "out3@2"]);
    const open = async () => (await outbox().unpublished(Date.now() + 1, 10_000)).filter(({ stream }) => stream.startsWith("out"));
    const commits = await open();
    const seen = commits.map(({ stream, version, events, position }) => [stream, version, events[0]!.type, position]);
    assert.deepEqual(seen.sort(), [
      ["out1", 1, "NoteSaved", 0],
      ["out2", 2, "NoteSaved", 0],
      ["out3", 2, "NoteRemoved", 0],
    ]);
    const all = await outbox().unpublished(Date.now() + 1, 10_000);
    assert.deepEqual(
      all,
      all.toSorted((a, b) => a.at - b.at),
    );
    assert.equal((await outbox().unpublished(Date.now() + 1, 2)).length, 2);
    assert.deepEqual(await outbox().unpublished(all[0]!.at, 10), []);
    await there("update", { id: "out1", title: "Newer" });
    await outbox().published(commits);
    assert.deepEqual(
      (await open()).map(({ stream, version }) => `${stream}@${version}`),
      ["out1@2"],
    );
    assert.deepEqual(await outbox().read("out1", 1), await open());
    assert.deepEqual(await outbox().read("out1", 2), []);
  });

  test("tombstones stay for 90 days, and until they are published", async () => {
    const removed = ["old1", "old2", "young"];
    for (const id of removed) await call("create", { id, title: "T" });
    for (const id of removed) await call("remove", { id });
    const longAgo = Date.now() - 91 * 86_400_000;
    await rows().updateMany({ _id: { $in: ["old1", "old2"] } }, { $set: { "_write.removed": longAgo } });
    await rows().updateMany({ _id: { $in: ["old1", "young"] } }, { $unset: { "_write.open": "" } });
    await call("create", { id: "sweeper", title: "T" });
    await call("remove", { id: "sweeper" });
    await until(async () => !(await rows().findOne({ _id: "old1" })));
    assert.equal(await rows().countDocuments({ _id: { $in: ["old2", "young", "sweeper"] } }), 3);
  });

  test("while the server is away calls fail at once, and afterwards all goes on by itself", async () => {
    const made = await call("create", { title: "Before" });
    await network.close();
    const early = await outcome(call("create", { title: "Away" })); // what it was connected by is gone: it may look for a moment
    assert.equal(early, "STORE_UNAVAILABLE");
    const start = performance.now();
    for (const [action, params] of [
      ["get", { id: made.id }],
      ["list", {}],
      ["create", { title: "Away" }],
      ["update", { id: made.id, title: "Away" }],
    ] as const) {
      await assert.rejects(call(action, params), { type: "STORE_UNAVAILABLE", code: 503 });
    }
    assert.ok(performance.now() - start < 200, `${performance.now() - start} ms`);
    await network.open();
    assert.deepEqual(await again(() => call("get", { id: made.id })), made);
  });

  test("the server is restarted while it is written to: what was acknowledged is there, and repeating all of it doubles nothing", {
    skip: !server && "MONGO_URL names a server that is not ours to end",
  }, async () => {
    const meta = keyed();
    const items = Array.from({ length: 200 }, (_, n) => ({ id: `kill-${n}`, title: `Kill ${n}` }));
    const acknowledged: Note[] = [];
    const singles = Array.from({ length: 30 }, async (_, n) => {
      const own = { ...meta, idempotencyKey: `kill-${n}` };
      const answer = await call("create", { title: `Single ${n}` }, own).catch(() => undefined);
      if (answer) acknowledged.push(answer);
      return own;
    });
    const many = outcome(call("saveMany", { items }, meta));
    await until(() => acknowledged.length > 0);
    await server!.end(onStandIn() ? "SIGTERM" : "SIGKILL"); // killed, the stand-in forgets what it took in the last second
    const owns = await Promise.all(singles);
    await many;
    await server!.again();
    for (const answer of acknowledged) assert.deepEqual(await again(() => there("get", { id: answer.id })), answer);
    const repeated = await Promise.all(owns.map((own, n) => again(() => there("create", { title: `Single ${n}` }, own))));
    assert.deepEqual(
      repeated.map(({ version }) => version),
      Array(30).fill(1),
    );
    await again(() => there("saveMany", { items }, meta));
    assert.equal(await rows().countDocuments({ _id: /^kill-/, version: 1 }), 200);
    assert.equal(await rows().countDocuments({ title: /^Single / }), 30);
  });
});
