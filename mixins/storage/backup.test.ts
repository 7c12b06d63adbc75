import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { folder } from "../../test/support/system.ts";
import { backup } from "./backup.ts";

const ROOMS = ["deals", "inventory", "orders"];

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

test("a backup that could not be finished leaves nothing that looks like one", async (t) => {
  const [data, backups] = [folder(t), folder(t)];
  for (const room of ROOMS) {
    const db = new DatabaseSync(join(data, `${room}.db`));
    db.exec("CREATE TABLE t (n INTEGER PRIMARY KEY)");
    db.close();
  }
  const full = (file: string) => {
    if (file === "inventory.db") throw new Error("no space left");
  };
  await assert.rejects(backup(join(backups, "b"), data, full), /no space left/);
  assert.deepEqual(readdirSync(backups), []);
  await backup(join(backups, "b"), data);
  assert.deepEqual(readdirSync(join(backups, "b")), ["deals.db", "inventory.db", "manifest.json", "orders.db"]);
});
