import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ServiceBroker } from "moleculer";
import { logContract } from "../../test/support/log.contract.ts";
import type { Logged } from "../storage/event-store.ts";

process.env.DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-room-log-"));
const { RoomLog } = await import("./room.log.ts");
const { collection } = await import("../collection.mixin.ts");
const { openEventStore } = await import("../storage/open.ts");
after(() => rmSync(process.env.DATA_DIR!, { recursive: true }));

logContract(async () => {
  const store = openEventStore("contract");
  return { store, open: () => new RoomLog("contract"), close: () => store.close() };
});

test("a collection is followed as an actor room is, also by who was there before it", async () => {
  const log = new RoomLog("notes");
  assert.deepEqual(await log.log("", 10), { commits: [], next: "" });
  assert.deepEqual(await log.progress(""), { position: 0, end: 0 });
  const told = Promise.withResolvers<void>();
  log.listen(told.resolve);

  const broker = new ServiceBroker({ logger: false });
  broker.createService(collection({ name: "notes", entity: "Note", fields: { title: "string" }, sorts: ["title"] }));
  await broker.start();
  await broker.call("v1.notes.create", { id: "a", title: "A" });
  await told.promise;
  const { commits, next } = await log.log("", 10);
  const [commit] = commits as [Logged];
  assert.deepEqual([commit.stream, commit.version, commit.events[0]!.type], ["a", 1, "NoteSaved"]);
  assert.deepEqual(await log.progress(next), { position: commit.position, end: commit.position });
  assert.ok(log.passed(commit, next) && !log.passed(commit, ""));
  assert.deepEqual(await log.read("a", 0, 10), [commit]);
  await log.close();
  await broker.stop();
});

test("an actor room is followed from its commits", async () => {
  const log = new RoomLog("acts");
  assert.deepEqual(await log.read("s", 0, 10), []);
  const store = openEventStore("acts");
  await store.append({ id: "c1", stream: "s", version: 1, events: [{ type: "Acted" }], at: 1, occurredAt: 1 });
  assert.deepEqual(
    (await log.log("", 10)).commits.map(({ id }) => id),
    ["c1"],
  );
  assert.equal((await log.read("s", 0, 10)).length, 1);
  await log.close();
  await store.close();
});
