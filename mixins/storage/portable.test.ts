import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { after, test } from "node:test";
import { useServers, without } from "../../test/support/cluster.ts";
import { settle } from "../../test/support/setting.ts";
import { folder } from "../../test/support/system.ts";
import type { Commit } from "./event-store.ts";
import type { Entry, PortableRecord, PortableTarget, Section } from "./portable-record.ts";

const skip = without("mongo");
settle();
if (!skip) await useServers("mongo");
const { config } = await import("../runtime/config.ts");
const { canonical, differences, inventoryOf, slices, Tally } = await import("./portable.tally.ts");
const { sagaRows } = await import("./portable.sagas.ts");
const { copyRecord } = await import("./portable.copy.ts");
const { SqlitePortableTarget } = await import("./sqlite.portable-target.ts");
const { SqlitePortableRecord } = await import("./sqlite.portable-record.ts");
const { MongoPortableTarget } = await import("./mongo.portable-target.ts");
const { MongoPortableRecord } = await import("./mongo.portable-record.ts");
const { FilePortableWriter } = await import("./file.portable-writer.ts");
const { FilePortableRecord } = await import("./file.portable-record.ts");
const { SqliteEventStore } = await import("./sqlite.event-store.ts");
const { SqliteSagaStore } = await import("./sqlite.saga-store.ts");
const { SqliteDocuments } = await import("./sqlite.documents.ts");
const { SqliteAuditStore } = await import("./sqlite.audit-store.ts");
const { chaining } = await import("../../services/audit/audit.chain.ts");
const { SqliteCursorStore } = await import("./sqlite.cursor-store.ts");

const NASTY = "half \ud800, line\u2028end, \u0000, 'quote' \\ \n";
const commit = (stream: string, version: number, more: Partial<Commit> = {}): Commit => ({
  ...{ id: `${stream}-${version}`, stream, version, ...(version > 1 && { after: `${stream}-${version - 1}` }) },
  ...{
    events: [{ type: "Said", v: 3, word: NASTY, nested: { z: [1, 2.5, 1e21, null, -1], a: {} } } as never],
    at: 1_700_000_000_000 + version,
    occurredAt: version,
  },
  ...more,
});

/** A folder with a record of everything that can be in one. */
const makeHouse = async (dir: string) => {
  const events = SqliteEventStore.open("words", "commits", dir);
  for (let version = 1; version <= 150; version++) {
    await Promise.all([
      events.append(commit("busy", version, { once: `u/${version}`, digest: `d${version}`, by: "u", request: "r", cause: "c" })),
      ...(version <= 3 ? [events.append(commit(`quiet~${version}`, 1))] : []),
    ]);
  }
  const sagas = new SqliteSagaStore("words", dir);
  const saga = (id: string, version: number, ...events: Commit["events"]) => commit(id, version, { events });
  const started = { type: "SagaStarted", saga: "s", input: { id: 1 }, owner: "me" } as never;
  await sagas.append(saga("one", 1, started) as never, { id: "one", saga: "s", status: "running", owner: "me", at: 1_700_000_000_001 });
  await sagas.append(saga("one", 2, { type: "SagaEnded", outcome: "completed" } as never) as never, {
    ...{ id: "one", saga: "s", status: "completed", owner: "me", at: 1_700_000_000_002 },
  });
  await sagas.append(saga("two", 1, started) as never, { id: "two", saga: "s", status: "running", owner: "me", at: 1_700_000_000_001 });
  const documents = SqliteDocuments.open("cards", dir);
  const change = (id: string, type = "CardSaved") => ({ id, type, by: "u", at: Date.now(), occurredAt: 5 });
  await documents.write(() => documents.put({ _id: "a", _name: "a", "x.y": { $set: NASTY, "~": [-0] } }, change("1")), {
    once: "u/k",
    digest: "d",
  });
  await documents.write(() => ({ id: documents.put({ _id: "b", name: "b" }, change("2"))._id }), { once: "u/k2" });
  await documents.write(() => documents.put({ _id: "gone" }, change("3")));
  await documents.write(() => documents.remove("gone", change("4", "CardRemoved")));
  const cursors = new SqliteCursorStore("words", dir);
  const parked = { source: "words", stream: "quiet~2", version: 1, attempts: 8, type: "Said", error: "no", at: 7 };
  await cursors.advance("subscriber/words", "words", "", "100", { park: [parked], unpark: [] }, () => {});
  await cursors.advance("view/list_2/1", "words", "", "153", { park: [{ ...parked, stream: "busy" }], unpark: [] }, () => {});
  const trail = new SqliteAuditStore("trail", dir);
  const chained = chaining({ kid: "k", key: generateKeyPairSync("ed25519").privateKey }, () => 1_700_000_000_000);
  for (let n = 0; n < 40; n++) {
    await trail.write(
      Array.from({ length: 1 + (n % 20) }, (_, i) => ({ id: `${n}/${i}`, user: "u", say: NASTY })),
      chained,
    );
  }
  await Promise.all([events, sagas, documents, cursors, trail].map((store) => store.close()));
};

const all = async (record: PortableRecord, room: string, section: Section) => (await Array.fromAsync(slices(record, room, section))).flat();

const into = async (source: PortableRecord, target: PortableTarget) => {
  await target.open();
  await target.begin(source.name);
  await copyRecord(source, target);
};

test("everything that a room can hold goes from SQLite to MongoDB, to a backup and to SQLite, and is the same", { skip }, async (t) => {
  const [dir, home, backup] = [folder(t), join(folder(t), "data"), join(folder(t), "backup")];
  await makeHouse(dir);
  const source = new SqlitePortableRecord(dir);
  await source.open();
  const inventory = await inventoryOf(source);
  assert.deepEqual(
    Object.entries(inventory).map(([room, sections]) => [room, Object.entries(sections).map(([name, sum]) => `${name} ${sum.count}`)]),
    [
      ["cards", ["documents 3", "keys 2"]],
      ["trail", ["audit 40"]],
      ["words", ["reached 3", "parked 1", "saga_commits 3", "commits 153"]],
    ],
  );
  const mongo = new MongoPortableTarget(config.mongoUrl!, config.namespace);
  after(() => mongo.close());
  await into(source, mongo);
  assert.deepEqual(differences(inventory, await inventoryOf(mongo)), []);
  assert.deepEqual(
    (await all(mongo, "words", "reached")).map(canonical).sort(),
    (await all(source, "words", "reached")).map(canonical).sort(),
  );
  assert.deepEqual((await all(mongo, "cards", "keys")).length, 1, "one answer names no document");
  const rows = mongo.database("words").collection<{ _id: string }>("commits");
  assert.ok((await rows.countDocuments()) < 50, "commits that come together share documents");
  const shown = await mongo
    .database("words")
    .collection<{ _id: string; status: string; version: number; at: number }>("sagas")
    .find({})
    .sort({ _id: 1 })
    .toArray();
  assert.deepEqual(
    shown.map(({ _id, status, version, at }) => [_id, status, version, at % 10]),
    [
      ["one", "completed", 2, 2],
      ["two", "running", 1, 1],
    ],
  );
  await copyRecord(source, mongo);
  assert.deepEqual(differences(inventory, await inventoryOf(mongo)), [], "once more is nothing more");
  await mongo.finish();

  const reader = new MongoPortableRecord(config.mongoUrl!, config.namespace);
  after(() => reader.close());
  await reader.open();
  const writer = new FilePortableWriter(backup);
  await copyRecord(reader, writer);
  await writer.finish(0, "n");
  const file = new FilePortableRecord(backup);
  await file.open();
  assert.deepEqual(differences(inventory, await inventoryOf(file)), []);
  const whole = await file.read("words", "commits", "", 1_000);
  assert.deepEqual(
    (await file.read("words", "commits", "100", 1_000)).entries,
    whole.entries.slice(100),
    "a restore that was cut off goes on",
  );
  const sqlite = new SqlitePortableTarget(home);
  await into(file, sqlite);
  assert.deepEqual(differences(inventory, await inventoryOf(sqlite)), []);
  await sqlite.finish();
  const home2 = new SqlitePortableRecord(home);
  await home2.open();
  assert.deepEqual(differences(inventory, await inventoryOf(home2)), []);
  const places = (await all(home2, "words", "reached")).map(canonical).sort();
  assert.deepEqual(
    places,
    (await all(source, "words", "reached")).map(canonical).sort(),
    "followers are where they were, stream by stream",
  );
  await home2.close();
  const sagas = new SqliteSagaStore("words", home);
  assert.deepEqual(
    (await sagas.list("completed", "", 9)).map(({ id, at }) => [id, at % 10]),
    [["one", 2]],
  );
  await sagas.close();
  await source.close();
  const [made, moved] = [new SqliteAuditStore("trail", dir), new SqliteAuditStore("trail", home)];
  assert.deepEqual(await moved.rows(undefined, 1_000), await made.rows(undefined, 1_000));
  await Promise.all([made.close(), moved.close()]);
});

test("an entry more, less, twice or changed is another sum, and their order is not", () => {
  const [one, two, other] = [commit("a", 1), commit("b", 1), commit("b", 1, { by: "x" })] as Entry[];
  const sumOf = (...entries: (Entry | undefined)[]) => {
    const tally = new Tally();
    for (const entry of entries) tally.add(entry!);
    return tally.sum.digest;
  };
  assert.equal(sumOf(one, two), sumOf(two, one));
  const sums = [sumOf(one, two), sumOf(one), sumOf(one, two, two), sumOf(one, other), sumOf(one, one, two, two), sumOf()];
  assert.equal(new Set(sums).size, sums.length);
  assert.equal(canonical({ b: 1, a: undefined, c: "\ud800" }), canonical({ c: "\ufffd", b: 1 }));
});

test("a saga's row follows from its record, also where it goes on in the middle or is read twice", () => {
  const events = [
    [{ type: "SagaStarted", saga: "s", input: {}, owner: "a" }],
    [{ type: "StepDone", step: "x" }],
    [{ type: "SagaTaken", owner: "b" }],
    [{ type: "UndoBegun", reason: "r", code: "c" }],
    [{ type: "SagaEnded", outcome: "undone" }],
  ];
  const commits = events.map((events, i) => commit("s1", i + 1, { events: events as never, at: i + 1 }));
  const shown = sagaRows(commits, new Map());
  assert.deepEqual(shown, [{ id: "s1", saga: "s", status: "undone", owner: "b", at: 5, version: 5 }]);
  const [first] = sagaRows(commits.slice(0, 2), new Map());
  assert.deepEqual([first!.status, first!.owner, first!.at], ["running", "a", 1]);
  assert.deepEqual(sagaRows(commits.slice(2), new Map([["s1", first!]])), shown);
  assert.deepEqual(sagaRows(commits.slice(3), new Map([["s1", shown[0]!]]))[0]!.status, "undone");
});
