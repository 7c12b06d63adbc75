import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { chain, eventStoreContract, newStream, next } from "../../test/support/event-store.contract.ts";
import { startOtherNode } from "../../test/support/other-node.ts";
import type { Commit } from "./event-store.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-store-"));
process.env.DATA_DIR = DATA_DIR; // before anything reads the configuration
const { SqliteEventStore } = await import("./sqlite.event-store.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

eventStoreContract(() => SqliteEventStore.open("contract"));

test("a record that is opened again is as it was, and goes on from there", async () => {
  const stream = newStream();
  const commits = chain(stream, 3, (n) => ({ once: `k${n}` }));
  const store = SqliteEventStore.open("reopened");
  for (const commit of commits.slice(0, 2)) await store.append(commit);
  await store.close();
  const again = SqliteEventStore.open("reopened");
  assert.equal((await again.recall(stream, "k0"))?.id, commits[0]!.id);
  await again.append(commits[2]!);
  assert.deepEqual(
    (await again.log(0, 10)).map(({ id, position }) => [id, position]),
    commits.map(({ id }, i) => [id, i + 1]),
  );
  await again.close();
});

test("a room's actors and its sagas are two records: neither sees the other's", async () => {
  const [actors, sagas] = [SqliteEventStore.open("two"), SqliteEventStore.open("two", "saga_commits")];
  await actors.append(next("same"));
  await sagas.append(next("same"));
  assert.deepEqual([await actors.end(), await sagas.end()], [1, 1]);
  await Promise.all([actors.close(), sagas.close()]);
});

test("whoever follows the log sees every commit in its place, also those of other processes in between", async (t) => {
  const { default: tally } = await import("../../test/support/tally.service.ts");
  const other = await startOtherNode(t, DATA_DIR, "test/support/tally.service.ts");
  const store = SqliteEventStore.open(tally.name);
  t.after(() => store.close());
  const seen: Commit[] = [];
  const look = async () => {
    let page = await store.log(seen.length, 50);
    for (; page.length > 0; page = await store.log(seen.length, 50)) {
      for (const commit of page) assert.equal(commit.position, seen.push(commit));
    }
  };
  const wrote: Promise<unknown>[] = [];
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 30; n++) wrote.push(other.call("v1.tally.add", { id: `theirs${n}`, amount: 1 }));
    for (let n = 0; n < 30; n++) wrote.push(store.append(next(`ours${round}-${n}`)));
    if (round % 3 === 0) await wrote.at(-1);
    await look();
  }
  await Promise.all(wrote);
  await look();
  assert.equal(seen.length, 1_200);
  assert.equal(await store.end(), 1_200);
  for (let n = 0; n < 30; n++) {
    assert.deepEqual(
      seen.filter(({ stream }) => stream === `theirs${n}`).map(({ version }) => version),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  }
  for (const after of [0, 1, 577, 1_100, 1_199]) {
    assert.deepEqual(
      (await store.log(after, 100)).map(({ id }) => id),
      seen.slice(after, after + 100).map(({ id }) => id),
    );
  }
});

test("a follower that has fallen far behind what is kept in memory reads the same", async () => {
  const store = SqliteEventStore.open("long");
  const commits = chain("s", 9_000);
  await Promise.all(commits.map((commit) => store.append(commit)));
  const read = [];
  for (let page = await store.log(0, 700); page.length > 0; page = await store.log(read.length, 700)) read.push(...page);
  assert.deepEqual(
    read.map(({ id, position }) => [id, position]),
    commits.map(({ id }, i) => [id, i + 1]),
  );
  await store.close();
});

test("whoever follows the log gets large commits a few at once, from memory as from the file, and hears that there are more", async () => {
  const store = SqliteEventStore.open("heavy");
  const commits = chain("s", 30, () => ({ events: [{ type: "Said", text: "x".repeat(900_000) } as never] }));
  for (const commit of commits) await store.append(commit);
  for (const from of [0, 28]) {
    const read: Commit[] = [];
    for (let more: true | undefined = true; more; ) {
      const page = await store.log(from + read.length, 2_000);
      assert.ok(page.length > 0 && page.length <= 8, `${page.length} at once`);
      ({ more } = page);
      read.push(...page);
    }
    assert.deepEqual(
      read.map(({ id }) => id),
      commits.slice(from).map(({ id }) => id),
    );
  }
  await store.close();
});
