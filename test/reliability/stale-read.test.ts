import assert from "node:assert/strict";
import { mkdtempSync, rmSync, stat } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SqliteFile } from "../../mixins/storage/sqlite.file.ts";

/** Found by `npm run test:crash`: a stock went back, 0 ms after another process had answered with a later version. */
test("whoever asks after another process was answered is told that something was stored, in whichever turn of the loop he asks", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "banyan-stale-"));
  const file = SqliteFile.open("room", dir);
  file.db.exec("CREATE TABLE said (what TEXT)");
  const other = new DatabaseSync(join(dir, "room.db"));
  t.after(async () => {
    other.close();
    await file.close();
    rmSync(dir, { recursive: true });
  });
  await new Promise(setImmediate); // where writes run: the requests that come meanwhile are read only after it
  const before = file.outside();
  other.exec("INSERT INTO said VALUES ('stored')");
  const asked = new Promise<number>((resolve) => stat(dir, () => resolve(file.outside())));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50); // a slow disk: the request lies ready when the turn ends
  assert.notEqual(await asked, before);
});
