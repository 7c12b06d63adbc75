import assert from "node:assert/strict";
import { randomUUIDv7 } from "node:crypto";
import { after, test } from "node:test";
import { type Commit, type EventStore, PAGE_SIZE, readWhole } from "../../mixins/storage/event-store.ts";

let made = 0;
/** A stream of the test's own: all tests of a driver share one record. */
export const newStream = (): string => `s${++made}`;

/** The next commit of a stream, as somebody who knows the one before would write it. */
export const next = (stream: string, before?: Commit, more: Partial<Commit> = {}): Commit => ({
  id: randomUUIDv7(),
  stream,
  version: (before?.version ?? 0) + 1,
  after: before?.id,
  events: [{ type: "Said" }],
  at: 1,
  occurredAt: 1,
  ...more,
});

/** A stream of so many commits, each decided on the one before; they are not stored yet. */
export const chain = (stream: string, length: number, of: (n: number) => Partial<Commit> = () => ({})): Commit[] => {
  const commits: Commit[] = [];
  for (let n = 0; n < length; n++) commits.push(next(stream, commits.at(-1), of(n)));
  return commits;
};

const ids = (commits: readonly Commit[]) => commits.map(({ id }) => id);
const settled = async (appends: Promise<void>[]) =>
  (await Promise.allSettled(appends)).map((one) => (one.status === "fulfilled" ? "stored" : one.reason.type));

/** What every driver of the event store must do. `open` answers the same record each time it is asked. */
export const eventStoreContract = (open: () => EventStore | Promise<EventStore>): void => {
  let opened: EventStore | undefined;
  const stored = async () => (opened ??= await open());
  after(() => opened?.close());

  test("what was stored is read as it was, oldest first, from any version and as much as is wanted", async () => {
    const store = await stored();
    const stream = newStream();
    const commits = chain(stream, 5, (n) => ({
      events: [{ type: "Said", text: `é"\n${n}`, many: [{ n }] } as never, { type: "Left" }],
      by: "anna",
      request: "r1",
      cause: "c1",
      digest: "d",
      once: `k${n}`,
      at: n + 10,
      occurredAt: n,
    }));
    for (const commit of commits) await store.append(commit);
    const read = await store.read(stream);
    assert.deepEqual(
      read.map(({ position, ...commit }) => ({ ...commit, after: commit.after })),
      commits,
    );
    assert.deepEqual(ids(await store.read(stream, 2)), ids(commits.slice(2)));
    assert.deepEqual(ids(await store.read(stream, 2, 2)), ids(commits.slice(2, 4)));
    assert.deepEqual(await store.read(stream, 5), []);
    assert.deepEqual(await store.read("never"), []);
  });

  test("a long stream is read from any version in pages of any length, and says where more is to come", async () => {
    const store = await stored();
    const stream = newStream();
    const commits = chain(stream, 200);
    await Promise.all(commits.map((commit) => store.append(commit)));
    for (const version of [0, 1, 7, 63, 64, 65, 130, 191, 192, 199]) {
      for (const limit of [1, 8, 9, 70, 1_000]) {
        const page = await store.read(stream, version, limit);
        assert.deepEqual(ids(page), ids(commits.slice(version, version + limit)), `${limit} after ${version}`);
        if (version + limit < 200) assert.equal(page.more, true);
        if (version + limit > 200) assert.equal(page.more, undefined);
      }
    }
  });

  test("a version is taken once", async () => {
    const store = await stored();
    const stream = newStream();
    const [one] = chain(stream, 1) as [Commit];
    assert.deepEqual((await settled([store.append(one), store.append(next(stream))])).sort(), ["VERSION_CONFLICT", "stored"]);
    const [winner] = await store.read(stream);
    await assert.rejects(store.append(next(stream)), { type: "VERSION_CONFLICT", code: 409 });
    const rivals = Array.from({ length: 20 }, () => next(stream, winner));
    assert.equal((await settled(rivals.map((rival) => store.append(rival)))).filter((said) => said === "stored").length, 1);
    assert.equal((await store.read(stream)).length, 2);
  });

  test("a commit is taken only on the one that it was decided on, and not ahead of it", async () => {
    const store = await stored();
    const stream = newStream();
    const [one, two] = chain(stream, 2) as [Commit, Commit];
    await assert.rejects(store.append(two), { type: "VERSION_CONFLICT" });
    await store.append(one);
    await assert.rejects(store.append(next(stream, { ...one, id: "another" })), { type: "VERSION_CONFLICT" });
    await assert.rejects(store.append(next(stream, { ...one, version: 2 })), { type: "VERSION_CONFLICT" });
    await store.append(two);
    assert.deepEqual(ids(await store.read(stream)), ids([one, two]));
  });

  test("a commit whose answer was lost is sent again, and is there once", async () => {
    const store = await stored();
    const stream = newStream();
    const commits = chain(stream, 2);
    for (const commit of [...commits, ...commits]) await store.append(commit);
    await Promise.all(commits.map((commit) => store.append(commit)));
    assert.deepEqual(ids(await store.read(stream)), ids(commits));
    const { commits: record } = await store.record("", 10_000);
    assert.deepEqual(ids(record.filter((commit) => commit.stream === stream)), ids(commits), "also in the record");
  });

  test("commits that are sent before the last one has answered are all there; when one is refused, all after it are", async () => {
    const store = await stored();
    const [good, raced] = [newStream(), newStream()];
    const commits = chain(good, 300);
    const others = chain(raced, 300);
    await store.append(next(raced));
    const [all, none] = await Promise.all([commits, others].map((each) => settled(each.map((commit) => store.append(commit)))));
    assert.ok(all!.every((said) => said === "stored"));
    assert.ok(none!.every((said) => said === "VERSION_CONFLICT"));
    assert.deepEqual(ids(await store.read(good)), ids(commits));
    assert.equal((await store.read(raced)).length, 1);
  });

  test("a key is recalled however long ago it was, in its own stream only", async () => {
    const store = await stored();
    const [stream, other] = [newStream(), newStream()];
    const commits = chain(stream, 200, (n) => ({ once: `key${n}`, digest: `d${n}` }));
    await Promise.all(commits.map((commit) => store.append(commit)));
    await store.append(next(other, undefined, { once: "key7" }));
    const recalled = await store.recall(stream, "key7");
    assert.deepEqual([recalled?.id, recalled?.version, recalled?.digest], [commits[7]!.id, 8, "d7"]);
    assert.equal(await store.recall(stream, "key200"), undefined);
    assert.equal(await store.recall(newStream(), "key7"), undefined);
  });

  test("the record has every commit once, each stream in its order, in pages and from any place", async () => {
    const store = await stored();
    const streams = Array.from({ length: 10 }, newStream);
    const written = streams.map((stream) => chain(stream, 20));
    await Promise.all(Array.from({ length: 20 }, (_, n) => written.map((commits) => store.append(commits[n]!))).flat());
    const all: Commit[] = [];
    for (let place = ""; ; ) {
      const { commits, next } = await store.record(place, 7);
      all.push(...commits);
      if (next === place) break;
      place = next;
    }
    const own = all.filter(({ stream }) => streams.includes(stream));
    assert.deepEqual(ids(own).sort(), ids(written.flat()).sort());
    for (const [i, stream] of streams.entries()) assert.deepEqual(ids(own.filter((c) => c.stream === stream)), ids(written[i]!));
    assert.equal(new Set(ids(all)).size, all.length);
  });

  test("a snapshot is kept in place of an older one, and of one that another model made; never in place of a newer one", async () => {
    const store = await stored();
    const stream = newStream();
    const snapshot = (version: number, model = 1) => ({ stream, version, last: "id", occurredAt: 5, model, state: { n: version } });
    assert.equal(await store.snapshot(stream), undefined);
    await store.keep(snapshot(10));
    assert.deepEqual(await store.snapshot(stream), snapshot(10));
    await store.keep(snapshot(20));
    await store.keep(snapshot(15));
    assert.deepEqual(await store.snapshot(stream), snapshot(20));
    await store.keep(snapshot(15, 2));
    assert.deepEqual(await store.snapshot(stream), snapshot(15, 2));
  });

  test("what cannot be stored fails alone: those who write at the same moment do not notice", async () => {
    const store = await stored();
    const loop: Record<string, unknown> = { type: "Said" };
    loop.self = loop;
    const [bad, worse, good] = [newStream(), newStream(), newStream()];
    const commits = chain(good, 3);
    const appends = [
      store.append(commits[0]!),
      store.append(next(bad, undefined, { events: [{ type: "Said", n: 1n } as never] })),
      store.append(commits[1]!),
      store.append(next(worse, undefined, { events: [loop as never] })),
      store.append(commits[2]!),
    ];
    const outcomes = (await Promise.allSettled(appends)).map(({ status }) => status);
    assert.deepEqual(outcomes, ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
    assert.deepEqual(ids(await store.read(good)), ids(commits));
    assert.deepEqual([...(await store.read(bad)), ...(await store.read(worse))], []);
  });

  test("a page is never heavier than a few requests, however many commits are asked for; one that is heavier stands alone", async () => {
    const store = await stored();
    const stream = newStream();
    const of = (n: number) => ({ events: [{ type: "Said", text: "x".repeat(n === 5 ? PAGE_SIZE + 1 : PAGE_SIZE / 5) } as never] });
    const commits = chain(stream, 14, of);
    for (const commit of commits) await store.append(commit);
    const sizeOf = (page: readonly Commit[]) => JSON.stringify(page).length;
    for (const from of [0, 4, 5, 6, 9]) {
      const read: Commit[] = [];
      for (let more: true | undefined = true; more; ) {
        const page = await store.read(stream, from + read.length, 500);
        assert.ok(page.length === 1 || sizeOf(page) < PAGE_SIZE * 1.1, `${page.length} commits of ${sizeOf(page)} characters`);
        ({ more } = page);
        read.push(...page);
      }
      assert.deepEqual(ids(read), ids(commits.slice(from)));
    }
    assert.deepEqual(ids(await readWhole(store, stream)), ids(commits));
    const recorded: Commit[] = [];
    for (let place = ""; ; ) {
      const { commits, next } = await store.record(place, 500);
      assert.ok(sizeOf(commits) < PAGE_SIZE * 1.5);
      recorded.push(...commits.filter((commit) => commit.stream === stream));
      if (next === place) break;
      place = next;
    }
    assert.deepEqual(ids(recorded), ids(commits), "also in the record");
  });
};
