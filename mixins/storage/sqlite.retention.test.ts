import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SqliteDocuments } from "./sqlite.documents.ts";
import { SqliteFile } from "./sqlite.file.ts";
import { SqliteKeys } from "./sqlite.keys.ts";

const dir = mkdtempSync(join(tmpdir(), "banyan-retention-"));
after(() => rmSync(dir, { recursive: true }));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test("an answer is kept for a day, and what is older goes as new ones come", async () => {
  const file = SqliteFile.open("keys", dir);
  const keys = new SqliteKeys(file);
  const ask = (key: string, now: number) => file.write(() => keys.once(key, undefined, now, () => ({ madeAt: now })));
  for (let n = 0; n < 10; n++) await ask(`old${n}`, n);
  assert.deepEqual(await ask("old3", 23 * HOUR), { madeAt: 3 });
  for (let n = 0; n < 6; n++) await ask(`new${n}`, DAY + HOUR + n);
  assert.equal(file.db.prepare("SELECT count(*) AS n FROM keys").get()!.n, 6);
  assert.deepEqual(await ask("old3", 2 * DAY), { madeAt: 2 * DAY });
  await file.close();
});

test("a refusal is no answer: it leaves no key, and nothing of what was written before it", async () => {
  const file = SqliteFile.open("refused", dir);
  const [keys, documents] = [new SqliteKeys(file), new SqliteDocuments(file)];
  const change = { id: "c", type: "Saved", at: 1, occurredAt: 1 };
  const ask = (refuse: boolean) =>
    file.write(() =>
      keys.once("k", "d", 1, () => {
        documents.put({ _id: "a" }, change);
        if (refuse) throw new Error("no");
        return { ok: true };
      }),
    );
  await assert.rejects(ask(true), { message: "no" });
  assert.equal(documents.get("a"), undefined);
  assert.deepEqual(await ask(false), { ok: true });
  assert.deepEqual(await ask(true), { ok: true });
  await file.close();
});

test("a tombstone stands for 90 days; a position is never used twice", async () => {
  const file = SqliteFile.open("tombstones", dir);
  const documents = new SqliteDocuments(file);
  const at = (now: number) => ({ id: `c${now}`, type: "Saved", at: now, occurredAt: now });
  const removed = async (id: string, now: number) => {
    await file.write(() => documents.put({ _id: id }, at(now)));
    await file.write(() => documents.remove(id, at(now)));
  };
  await removed("a", 0);
  await removed("b", 89 * DAY);
  assert.equal(documents.look("a")?.removed, true);
  const end = documents.last();
  await removed("c", 91 * DAY);
  assert.equal(documents.look("a"), undefined);
  assert.equal(documents.look("b")?.removed, true);
  await removed("d", 200 * DAY);
  await removed("e", 400 * DAY);
  const [commit] = await documents.log(end, 10);
  assert.ok(commit!.position > end && documents.last() === commit!.position);
  assert.equal(commit!.stream, "e");
  await file.close();
});

test("what comes after a document's last change did not happen before it", async () => {
  const file = SqliteFile.open("times", dir);
  const documents = new SqliteDocuments(file);
  for (const occurredAt of [50, 10]) await file.write(() => documents.put({ _id: "a" }, { id: "c", type: "Saved", at: 60, occurredAt }));
  assert.equal((await documents.log(0, 1))[0]!.occurredAt, 50);
  await file.close();
});
