import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { backup } from "./backup.ts";

const ROOMS = ["deals", "inventory", "orders"];

const folder = (t: TestContext) => {
  const path = mkdtempSync(join(tmpdir(), "banyan-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

/** Writes the same row into one room after the other, as fast as it can: at any moment the first has as many as the last, or one more. */
const inStep = `
  const { DatabaseSync } = require("node:sqlite");
  const { parentPort, workerData } = require("node:worker_threads");
  const inserts = workerData.map((path) => {
    const db = new DatabaseSync(path, { timeout: 5000 });
    db.exec("PRAGMA synchronous = OFF");
    return db.prepare("INSERT INTO t (text) VALUES (?)");
  });
  for (let n = 1; ; n++) {
    for (const insert of inserts) insert.run("x".repeat(2000));
    if (n % 500 === 0) parentPort.postMessage(n);
  }`;

test("the rooms of a backup are of one moment, also while all of them are written to", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  const paths = ROOMS.map((room) => join(data, `${room}.db`));
  for (const path of paths) {
    const db = new DatabaseSync(path);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)");
    db.close();
  }
  const worker = new Worker(inStep, { eval: true, workerData: paths });
  t.after(() => worker.terminate());
  let written = 0;
  worker.on("message", (n: number) => (written = n));
  const until = async (n: number) => {
    while (written < n) await new Promise(setImmediate);
  };
  await until(2_000);
  for (const name of ["first", "second", "third"]) {
    const [from, moment] = [written, join(backups, name)];
    await backup(moment, data);
    const rows = ROOMS.map((room) => {
      const db = new DatabaseSync(join(moment, `${room}.db`), { readOnly: true });
      t.after(() => db.close());
      return db.prepare("SELECT count(*) AS n FROM t").get()!.n as number;
    });
    const [first, second, last] = rows as [number, number, number];
    assert.ok(first >= from && first >= second && second >= last && first - last <= 1, rows.join());
    await until(written + 500);
  }
});
