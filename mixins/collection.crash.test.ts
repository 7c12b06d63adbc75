import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, test } from "node:test";
import { MongoClient } from "mongodb";
import { settle } from "../test/support/setting.ts";
import type { Answer } from "./collection.child.ts";
import type { DocumentRow } from "./storage/mongo.rows.ts";

let dir: string;
let children: ChildProcess[] = [];
const setting = settle();
const ours = process.env.DATA_DIR!;
process.env.NAMESPACE = basename(ours); // in a cluster, what a folder is to one host
const { startNotes } = await import("./collection.child.ts");
const { SqliteFile } = await import("./storage/sqlite.file.ts");
const { SqliteDocuments } = await import("./storage/sqlite.documents.ts");

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "banyan-crash-"));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
  rmSync(dir, { recursive: true });
});

/** A process that is ready to write notes, and what it says that it was answered. */
const start = async (from: number, to: number, atOnce: number, on = dir) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "collection.child.ts"), `${from}`, `${to}`, `${atOnce}`], {
    env: { ...process.env, DATA_DIR: on, NAMESPACE: basename(on) },
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, "ready");
  const answers: Answer[] = [];
  return {
    answers,
    go: () => child.stdin.write("go\n"),
    /** Reads so many answers, or all; and answers what it read. */
    async read(many = Number.POSITIVE_INFINITY) {
      while (answers.length < many) {
        const line = await lines.next();
        if (line.done) break;
        if (line.value.endsWith("}}")) answers.push(JSON.parse(line.value)); // a kill may cut a line off
      }
      return answers;
    },
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
};

test("killed in the midst of writes: what was acknowledged is there, and repeating all of it doubles nothing", async () => {
  const acknowledged = new Map<number, Answer>();
  for (const moment of [1, 40, 173]) {
    const child = await start(0, 1_000, 32);
    child.go();
    await child.read(moment);
    await child.kill();
    for (const answer of await child.read()) {
      assert.deepEqual(answer, acknowledged.get(answer.n) ?? answer, "another answer than before the kill");
      acknowledged.set(answer.n, answer);
    }
  }
  const again = await start(0, 300, 32);
  again.go();
  const answers = await again.read();
  assert.equal(answers.length, 300);
  for (const answer of answers) assert.deepEqual(answer, acknowledged.get(answer.n) ?? answer);
  const documents = await stored();
  assert.equal(new Set(documents.map(({ title }) => title)).size, documents.length);
  for (const { n, updated } of [...answers, ...acknowledged.values()]) {
    const found = documents.filter(({ title }) => title === `note ${n}`);
    assert.deepEqual(
      found.map(({ id, version, stars }) => ({ id, version, stars })),
      [{ id: updated.id, version: 2, stars: n + 1 }],
    );
  }
});

test("three processes are given the same keys at once: each key has one effect and one answer", async () => {
  const all = await Promise.all([start(0, 150, 8), start(0, 150, 8), start(0, 150, 8)]);
  for (const { go } of all) go();
  const [first, ...others] = await Promise.all(all.map(({ read }) => read()));
  const byKey = (answers: Answer[]) => answers.toSorted((a, b) => a.n - b.n);
  assert.equal(first!.length, 150);
  for (const answers of others) assert.deepEqual(byKey(answers), byKey(first!));
  const documents = await stored();
  assert.equal(documents.length, 150);
  assert.ok(documents.every(({ version }) => version === 2));
});

test("what another process was acknowledged is read here at once, also by who had read it before", async () => {
  const broker = await startNotes();
  const child = await start(0, 40, 1, ours);
  child.go();
  for (let n = 0; n < 40; n++) {
    const { updated } = (await child.read(n + 1))[n]!;
    const found = (await broker.call("v1.notes.get", { id: updated.id })) as Answer["updated"];
    assert.ok(found.version === 2 && found.stars === n + 1);
    const list = (await broker.call("v1.notes.list", { search: `note ${n}`, limit: 200 })) as { items: Answer["updated"][] };
    assert.ok(list.items.some(({ id, version }) => id === updated.id && version === 2));
  }
  await broker.stop();
});

interface Stored {
  id: string;
  version: number;
  title: string;
  stars: number;
}

/** What a process that starts now finds. */
const stored = (): Promise<Stored[]> => (setting === "cluster" ? storedOnMongo() : storedInFile());

const storedInFile = async () => {
  const documents = new SqliteDocuments(SqliteFile.open("notes", dir));
  const commits = await documents.log(0, 10_000);
  await documents.close();
  assert.deepEqual(
    commits.map(({ position }) => position),
    commits.map(({ position }) => position).toSorted((a, b) => a - b),
  );
  return commits.map(({ events }) => events[0]!.document as unknown as Stored);
};

const storedOnMongo = async () => {
  const client = new MongoClient(process.env.MONGO_URL!);
  const documents = client.db(`${basename(dir)}_notes`).collection<DocumentRow & Stored>("documents");
  const rows = await documents.find({}, { projection: { _write: 0 } }).toArray();
  await client.close();
  return rows.map(({ _id, ...row }) => ({ ...row, id: _id }));
};
