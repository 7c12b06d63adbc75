import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Collection } from "mongodb";
import { useServers, without } from "../../test/support/cluster.ts";
import { chain, newStream, next } from "../../test/support/event-store.contract.ts";
import { startOtherNode, until } from "../../test/support/other-node.ts";
import { startProxy } from "../../test/support/proxy.ts";
import type { Commit } from "./event-store.ts";

describe("the event store over a bad connection to MongoDB", {
  skip: without("mongo") || (process.env.MONGO_URL && "it stops its server"),
}, async () => {
  const { mongo } = await useServers("mongo");
  const straight = process.env.MONGO_URL!;
  const proxy = await startProxy(mongo!.port);
  process.env.MONGO_URL = `mongodb://127.0.0.1:${proxy.port}`;
  process.env.DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-faults-"));
  const { MongoEventStore } = await import("./mongo.event-store.ts");
  const store = MongoEventStore.open("tally");
  after(async () => {
    await store.close();
    await proxy.stop();
    rmSync(process.env.DATA_DIR!, { recursive: true, force: true });
  });
  const ids = (commits: readonly Commit[]) => commits.map(({ id }) => id);

  test("the connection is cut after the server stored and before it answered: the commit is there once, and acknowledged", async () => {
    const stream = newStream();
    const commits = chain(stream, 3);
    await store.append(commits[0]!);
    proxy.hold("insert");
    const appended = store.append(commits[1]!);
    await until(() => proxy.held() > 0); // the server has answered
    proxy.cut();
    proxy.letGo();
    await appended;
    await store.append(commits[2]!);
    assert.deepEqual(ids(await store.read(stream)), ids(commits));
  });

  test("what is in doubt and was somebody else's is refused, and nothing after it is taken", async () => {
    const stream = newStream();
    const [mine] = chain(stream, 1) as [Commit];
    await store.append(mine);
    const rivals = [next(stream, mine), next(stream, mine)] as const;
    proxy.hold("insert");
    const said = rivals.map((commit) => store.append(commit));
    await until(() => proxy.held() > 0);
    proxy.cut();
    proxy.letGo();
    const settled = await Promise.allSettled(said);
    assert.deepEqual(settled.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const winner = rivals[settled.findIndex(({ status }) => status === "fulfilled")]!;
    assert.deepEqual(ids(await store.read(stream)), ids([mine, winner]));
  });

  test("two nodes append to one stream while each has commits on the way: each place is one's, and nobody's acknowledged commit is missing", async (t) => {
    const env = process.env.MONGO_URL;
    process.env.MONGO_URL = straight;
    const other = await startOtherNode(t, process.env.DATA_DIR!, "test/support/tally.service.ts");
    process.env.MONGO_URL = env;
    const stream = newStream();
    const theirs = Array.from({ length: 60 }, () =>
      other.call<{ version: number }>("v1.tally.add", { id: stream, amount: 1 }).then(
        () => true,
        () => false,
      ),
    );
    const ours: Commit[] = [];
    for (let round = 0; round < 10; round++) {
      const last = (await store.read(stream)).at(-1);
      const commits: Commit[] = [];
      for (let n = 0; n < 5; n++) commits.push(next(stream, commits.at(-1) ?? last, { events: [{ type: "Added", amount: 1 } as never] }));
      const settled = await Promise.allSettled(commits.map((commit) => store.append(commit)));
      ours.push(...commits.filter((_, n) => settled[n]!.status === "fulfilled"));
    }
    const done = (await Promise.all(theirs)).filter(Boolean).length;
    const all = await store.read(stream);
    assert.deepEqual(
      all.map(({ version }) => version),
      all.map((_, n) => n + 1),
    );
    for (const [n, { after }] of all.entries()) assert.equal(after, all[n - 1]?.id);
    for (const { id } of ours) assert.equal(all.filter((commit) => commit.id === id).length, 1);
    assert.equal(all.length, ours.length + done);
    assert.ok(done > 0 && ours.length > 0);
  });

  test("what was there when it was looked for, and is gone from the server that leads now, is not acknowledged", async (t) => {
    const stream = newStream();
    const [commit] = chain(stream, 1) as [Commit];
    proxy.hold("insert");
    const appended = store.append(commit);
    await until(() => proxy.held() > 0);
    const gone = t.mock.method(Collection.prototype, "updateOne", async () => ({ matchedCount: 0 })); // as after an election
    proxy.cut();
    proxy.letGo();
    await assert.rejects(appended, { type: "STORE_UNAVAILABLE", code: 503 });
    while (gone.mock.callCount() === 0) await assert.rejects(store.append(commit), { type: "STORE_UNAVAILABLE", code: 503 }); // the connection was slow to come back
  });

  test("while the server is away everything is refused at once; when it is back it goes on by itself", async () => {
    const stream = newStream();
    const commits = chain(stream, 2);
    await store.append(commits[0]!);
    await mongo!.end();
    await assert.rejects(store.append(commits[1]!), { type: "STORE_UNAVAILABLE", code: 503 });
    await assert.rejects(store.read(stream), { type: "STORE_UNAVAILABLE", code: 503 });
    await mongo!.again();
    await until(() =>
      store.append(commits[1]!).then(
        () => true,
        () => false,
      ),
    );
    assert.deepEqual(ids(await store.read(stream)), ids(commits));
  });
});
