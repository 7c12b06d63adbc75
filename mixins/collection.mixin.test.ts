import assert from "node:assert/strict";
import { test } from "node:test";
import { collectionContract, type List, noteRoom } from "../test/support/collection.contract.ts";
import { settle } from "../test/support/setting.ts";

const setting = settle();
const { collection } = await import("./collection.mixin.ts");
const { SqliteDocuments } = await import("./storage/sqlite.documents.ts");

const call = collectionContract(collection(noteRoom));

const embedded = { skip: setting === "cluster" && "it is about the room's own file" };

test("what was asked for is the same object until something is written", embedded, async () => {
  const list = () => call<List>("list", { search: "kept" });
  const empty = await list();
  assert.equal(await list(), empty);
  assert.ok(Object.isFrozen(empty) && Object.isFrozen(empty.items));
  const made = await call("create", { id: "kept", title: "Kept" });
  assert.deepEqual((await list()).items, [made]);
  const got = await call("get", { id: "kept" });
  assert.equal(await call("get", { id: "kept" }), got);
  await call("update", { id: "kept", stars: 5 });
  assert.notEqual(await call("get", { id: "kept" }), got);
});

test("the log has each note once, as it is now, in the order of the last writes, with who and why", embedded, async () => {
  const log = SqliteDocuments.open("notes"); // what a subscriber reads
  const start = await log.end();
  const meta = { user: { id: "u9", roles: [] }, cause: "c1", occurredAt: Date.parse("2011-06-01T00:00:00Z") };
  await call("create", { id: "log1", title: "L1" }, meta);
  await call("create", { id: "log2", title: "L2" });
  const last = await call("update", { id: "log1", title: "L1 again" }, meta);
  await call("remove", { id: "log2" });
  const commits = await log.log(start, 100);
  assert.deepEqual(
    commits.map(({ stream, version, events }) => ({ stream, version, events })),
    [
      { stream: "log1", version: 2, events: [{ type: "NoteSaved", document: last }] },
      { stream: "log2", version: 2, events: [{ type: "NoteRemoved" }] },
    ],
  );
  assert.equal(commits[0]!.by, "u9");
  assert.equal(commits[0]!.cause, "c1");
  assert.equal(commits[0]!.occurredAt, meta.occurredAt);
  assert.equal(commits[1]!.position, await log.end());
  assert.deepEqual(await log.read("log1", 1), [commits[0]]);
  assert.deepEqual(await log.read("log1", 2), []);
  assert.deepEqual(await call("commits", { after: start, limit: 1 }), { commits: commits.slice(0, 1), next: String(commits[0]!.position) });
  await log.close();
});
