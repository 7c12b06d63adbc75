import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-file-"));
process.env.DATA_DIR = DATA_DIR;
const { SqliteFile } = await import("./sqlite.file.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

let made = 0;
/** A file with one table of numbers. */
const open = () => {
  const name = `f${++made}`;
  const file = SqliteFile.open(name);
  file.db.exec("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT");
  const insert = file.db.prepare("INSERT INTO t VALUES (?)");
  const all = () =>
    file.db
      .prepare("SELECT n FROM t ORDER BY n")
      .all()
      .map(({ n }) => n);
  return { file, path: join(DATA_DIR, `${name}.db`), name, all, put: (n: number) => file.write(() => insert.run(n)) };
};

test("what is acknowledged is on the disk, whoever reads it", async () => {
  const { file, path, put } = open();
  const other = new DatabaseSync(path, { readOnly: true });
  for (let n = 0; n < 5; n++) {
    await put(n);
    assert.equal(other.prepare("SELECT count(*) AS many FROM t").get()!.many, n + 1);
  }
  assert.equal(file.db.prepare("PRAGMA synchronous").get()!.synchronous, 2, "FULL: a commit is synced");
  other.close();
  await file.close();
});

test("writes of one moment share a transaction; the one that throws undoes its own work and no other's", async () => {
  const { file, all } = open();
  const write = (n: number, fails = false) =>
    file.write(() => {
      file.db.prepare("INSERT INTO t VALUES (?)").run(n);
      if (fails) throw new TypeError(`no ${n}`);
      return n;
    });
  const said = await Promise.allSettled([write(1), write(2, true), write(3), write(4, true), write(5)]);
  assert.deepEqual(
    said.map((one) => (one.status === "fulfilled" ? one.value : one.reason.message)),
    [1, "no 2", 3, "no 4", 5],
  );
  assert.deepEqual(all(), [1, 3, 5]);
  await file.close();
});

test("while another process holds the file, writes wait and then are done; nothing else stands still meanwhile", async (t) => {
  const { file, path, put, all } = open();
  const holder = spawn(process.execPath, [
    "-e",
    `const { DatabaseSync } = require("node:sqlite");
     const db = new DatabaseSync(${JSON.stringify(path)});
     db.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES (100)");
     console.log("held");
     process.stdin.once("data", () => { db.exec("COMMIT"); process.exit(); });`,
  ]);
  t.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  const writing = put(1);
  let turns = 0;
  for (const start = Date.now(); Date.now() - start < 200; turns++) await new Promise(setImmediate);
  assert.ok(turns > 3, "the process goes on while it waits");
  assert.deepEqual(all(), []);
  holder.stdin.write("go");
  await writing;
  assert.deepEqual(all(), [1, 100]);
  await file.close();
});

test("what the database itself refuses of one write is that write's own matter", async () => {
  const { file, put, all } = open();
  const said = await Promise.allSettled([
    put(1),
    put(1),
    put(2),
    file.write(() => file.db.exec("INSERT INTO t VALUES ('a word')")),
    put(3),
  ]);
  assert.deepEqual(
    said.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(all(), [1, 2, 3]);
  await file.close();
});

test("where the store cannot say whether it has a write it says so, and takes the next one", async () => {
  const { file, put, all } = open();
  await assert.rejects(
    file.write(() => file.db.exec("INSERT INTO nowhere VALUES (1)")),
    { type: "STORE_UNAVAILABLE", code: 503 },
  );
  await put(2);
  assert.deepEqual(all(), [2]);
  await file.close();
});

test("a file is opened once however many use it, and closed with the last of them, after what was still to be written", async () => {
  const { file, name, put } = open();
  const again = SqliteFile.open(name);
  assert.equal(again, file);
  await again.close();
  const last = put(7);
  await file.close();
  await last;
  const reopened = SqliteFile.open(name);
  assert.notEqual(reopened, file);
  assert.equal(reopened.db.prepare("SELECT n FROM t").get()!.n, 7);
  await reopened.close();
});

test("a listener hears of what is written here and elsewhere; the number for elsewhere changes only then", async () => {
  const { file, path, put } = open();
  const heard = () =>
    new Promise<void>((resolve) => {
      const silence = file.listen(() => {
        silence();
        resolve();
      });
    });
  await heard(); // the first look
  const before = file.outside();
  await Promise.all([heard(), put(1)]);
  assert.equal(file.outside(), before);
  const other = new DatabaseSync(path);
  const hearing = heard();
  other.exec("INSERT INTO t VALUES (2)");
  await hearing;
  assert.notEqual(file.outside(), before);
  other.close();
  await file.close();
});
