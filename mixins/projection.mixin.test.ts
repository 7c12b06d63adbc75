import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { allCarried } from "../test/support/cluster.ts";
import { chain } from "../test/support/event-store.contract.ts";
import { startOtherNode, until } from "../test/support/other-node.ts";
import type { Shelf } from "../test/support/shelf.service.ts";
import type { Projecting } from "./projection.mixin.ts";
import type { Progress, View } from "./view.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-view-"));
process.env.DATA_DIR = DATA_DIR;
const { default: tally } = await import("../test/support/tally.service.ts");
const { shelfRoom, shelves } = await import("../test/support/shelf.service.ts");
const { config } = await import("./runtime/config.ts");
const { actor } = await import("./actor.mixin.ts");
const { openEventStore } = await import("./storage/open.ts");
const { tallyModel } = await import("../test/support/tally.service.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

type Page = { items: Shelf[]; next?: string };
const MODULES = ["test/support/tally.service.ts", "test/support/shelf.service.ts"];

/** Both rooms on one node. `apart` gives the test a record of its own. */
const startNode = async (t: TestContext, apart = "", spec = shelves) => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService({ ...tally, name: `tally${apart}`, mixins: [actor(tallyModel)] } as ServiceSchema);
  const room = broker.createService({ ...shelfRoom({ ...spec, source: `tally${apart}` }), name: `shelf${apart}` } as ServiceSchema);
  await broker.start();
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= broker.stop());
  t.after(stop);
  const call = <T = Page>(verb: string, params: object = {}) => broker.call<T, object>(`v1.shelf${apart}.${verb}`, params);
  const add = (id: string, amount: number, word?: string) =>
    broker.call<{ version: number }, object>(`v1.tally${apart}.add`, { id, amount, ...(word && { word }) });
  const record = openEventStore(`tally${apart}`);
  t.after(() => record.close());
  const view: View<Shelf> = (room as unknown as Projecting).view("shelves");
  const caughtUp = () =>
    until(async () => {
      if (!(await allCarried(record))) return false;
      const { position, end } = await view.progress();
      return position === end;
    });
  return { add, list: (params: object = {}) => call("list", params), call, view, caughtUp, stop };
};

const ids = ({ items }: Page) => items.map(({ id }) => id);
const pages = async (list: (params: object) => Promise<Page>, params: object) => {
  const found: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await list({ ...params, after });
    found.push(...ids(page));
    after = page.next;
    if (!after) return found;
  }
};

test("a list goes through everything once, page by page, forwards and backwards, whatever it is filtered by", async (t) => {
  const { add, list, caughtUp } = await startNode(t, "paged");
  const all = Array.from({ length: 60 }, (_, n) => ({
    id: `s${n}`,
    size: (n % 7) + 1,
    colour: ["red", "blue"][n % 2]!,
    tag: ["oak", "elm", "ash"][n % 3]!,
  }));
  for (const { id, size, colour, tag } of all) {
    await add(id, size, tag);
    await add(id, 0.5, colour);
  }
  await caughtUp();
  const expected = (keep: (one: (typeof all)[number]) => boolean) =>
    all
      .filter(keep)
      .toSorted((a, b) => a.size - b.size || (config.mongoUrl ? (a.id < b.id ? -1 : 1) : 0)) // among equals what came first; over a connection, by id
      .map(({ id }) => id);
  const size = (n: number) => String(n + 0.5).padStart(6, "0");
  for (const [filter, keep] of [
    [{}, () => true],
    [{ colour: "red" }, ({ colour }) => colour === "red"],
    [{ tag: "elm" }, ({ tag }) => tag === "elm"],
    [{ tag: "blue" }, ({ colour }) => colour === "blue"],
    [{ colour: "red", tag: "ash" }, ({ colour, tag }) => colour === "red" && tag === "ash"],
    [{ from: size(2), to: size(4) }, ({ size }) => size >= 2 && size <= 4],
    [{ from: size(5), tag: "oak" }, ({ size, tag }) => size >= 5 && tag === "oak"],
    [{ tag: "none" }, () => false],
  ] as [object, (one: (typeof all)[number]) => boolean][]) {
    for (const limit of [1, 7, 200]) {
      assert.deepEqual(await pages(list, { ...filter, limit }), expected(keep), JSON.stringify(filter));
      assert.deepEqual(await pages(list, { ...filter, limit, descending: true }), expected(keep).reverse());
    }
  }
  assert.equal((await list()).items.length, 50);
  assert.deepEqual(Object.keys((await list()).items[0]!), ["id", "sum", "colour"], "what is only there to be found by is not shown");
});

test("a page that is gone from or added to in between shows nothing twice, and misses nothing that stayed", async (t) => {
  const { add, list, caughtUp } = await startNode(t, "moving");
  for (let n = 1; n <= 9; n++) await add(`s${n}`, n, "red");
  await caughtUp();
  const first = await list({ limit: 3 });
  await add("s3", 0, "gone");
  await add("s2a", 2, "red");
  await add("s6a", 6, "red");
  await caughtUp();
  assert.deepEqual([...ids(first), ...(await pages(list, { limit: 3, after: first.next }))].slice(0, 3), ["s1", "s2", "s3"]);
  const rest = await pages(
    async (params) => list({ after: first.next, ...params, ...(!("after" in params && params.after) && { after: first.next }) }),
    { limit: 3 },
  );
  assert.deepEqual(rest, ["s4", "s5", "s6", "s6a", "s7", "s8", "s9"]);
});

test("a place in a list that was not given by it is refused, as is a write that no write is named by", async (t) => {
  const { list } = await startNode(t, "cursors");
  for (const after of ["nonsense", Buffer.from("[1,2]").toString("base64url"), Buffer.from('["a"]').toString("base64url")]) {
    await assert.rejects(list({ after }), { type: "CURSOR_INVALID", code: 400 });
  }
  for (const seen of ["a", "a@", "@1", "a@x", "a@-1"]) await assert.rejects(list({ seen }), { type: "SEEN_INVALID", code: 400 });
});

test("who names his last write finds it in the list; who names one that never was is told so", async (t) => {
  const { add, list } = await startNode(t, "seen");
  for (let n = 0; n < 30; n++) {
    const { version } = await add("mine", 1, `word${n}`);
    const { items } = await list({ seen: `mine@${version}`, tag: `word${n}` });
    assert.equal(items[0]?.sum, n + 1);
  }
  await assert.rejects(list({ seen: "mine@31" }), { type: "VIEW_BEHIND", code: 503 });
});

test("a page is the same object as long as nothing has changed, and nobody can change it", async (t) => {
  const { add, list, caughtUp } = await startNode(t, "shared");
  await add("s", 1, "red");
  await caughtUp();
  const page = await list();
  if (!config.mongoUrl) assert.equal(await list(), page); // over a connection nothing tells whether it has
  assert.throws(() => page.items.push(page.items[0]!), TypeError);
  const { version } = await add("s", 1);
  assert.equal((await list({ seen: `s@${version}` })).items[0]?.sum, 2);
});

test("totals are exact to the last place, and follow what changes: nothing is ever added to them", async (t) => {
  const { add, view } = await startNode(t, "totals");
  for (let n = 0; n < 40; n++) await add(`s${n}`, 1_000_000 + n, ["red", "blue"][n % 2]!);
  for (let n = 0; n < 10; n++) await add(`s${n}`, 3);
  await add("s11", 0, "gone");
  const { version } = await add("s12", 1, "green");
  const totals = await view.totals("colour", {}, `s12@${version}`);
  const sums = new Map<string, bigint>();
  for (const line of await dumped(view)) sums.set(line.colour, (sums.get(line.colour) ?? 0n) + BigInt(line.sum) * 100_000_000n + 10n);
  assert.deepEqual(
    totals.map(({ key, currency, measures }) => [key, currency, measures[0]]),
    [...sums].sort().map(([key, sum]) => [key, "GBP", sum]),
  );
  const byDay = await view.totals("colour", { prefix: 7 });
  assert.deepEqual(
    byDay.map(({ key }) => key),
    ["2011-01"],
  );
  assert.equal(
    byDay[0]!.measures[0],
    [...sums.values()].reduce((a, b) => a + b),
  );
  const parts = [await view.totals("colour", { to: "2011-01-03" }), await view.totals("colour", { from: "2011-01-04" })].flat();
  assert.equal(
    parts.reduce((sum, { measures }) => sum + measures[0]!, 0n),
    byDay[0]!.measures[0],
  );
  assert.deepEqual(await view.totals("colour", { currency: "USD" }), []);
});

const isDocument = (line: string) => line.startsWith('["s');
const dumped = async (view: View<Shelf>) => (await view.page({ limit: 200 })).items;

test("a view that is made anew while it serves and is written to equals the one that was there, byte for byte", async (t) => {
  const { add, call, list, view, caughtUp } = await startNode(t, "rebuilt");
  const write = async (from: number, to: number) => {
    for (let n = from; n < to; n++) await add(`s${n % 50}`, n % 11, n % 13 === 0 ? "gone" : ["red", "blue", "green"][n % 3]!);
  };
  await write(0, 600);
  await caughtUp();
  const rebuilding = call<{ generation: number }>("rebuild");
  const second = assert.rejects(call("rebuild"), { type: "REBUILD_RUNS", code: 409 });
  await Promise.all([write(600, 900), second, list().then(({ items }) => assert.ok(items.length > 0))]);
  assert.equal((await rebuilding).generation, 2);
  await write(900, 1_000);
  await caughtUp();
  await view.totals("colour", {}, "s0@1");
  const rebuilt = await view.dump();
  assert.equal((await call<{ generation: number }>("rebuild")).generation, 3);
  await view.totals("colour", {}, "s0@1");
  assert.ok(rebuilt.length > 40);
  assert.deepEqual(await view.dump(), rebuilt);
  const { generation, position, end, rebuilding: none } = await call<Progress>("progress");
  assert.deepEqual([generation, position === end, none], [3, true, undefined]);
});

test("a rebuild that cannot even begin keeps nobody else from one", async (t) => {
  const first = await startNode(t, "hindered");
  const other = await startNode(t, "hindered");
  const { cursors } = first.view;
  const fails = t.mock.method(cursors, "drop", () => Promise.reject(new Error("the database is away")));
  await assert.rejects(first.view.rebuild(), /the database is away/);
  fails.mock.restore();
  assert.equal((await other.call<{ generation: number }>("rebuild")).generation, 2);
});

test("a rebuild that was interrupted leaves the view as it was, and the next one is whole", async (t) => {
  let slow = false;
  const Added: typeof shelves.on.Added = (...given) => {
    for (const end = performance.now() + (slow ? 0.1 : 0); performance.now() < end; );
    return shelves.on.Added!(...given);
  };
  const first = await startNode(t, "broken", { ...shelves, on: { Added } });
  const store = openEventStore("tallybroken");
  t.after(() => store.close());
  const said = { events: [{ type: "Added", amount: 1, word: "red" }] };
  const commits = Array.from({ length: 100 }, (_, n) => chain(`s${n}`, 200, () => said)).flat();
  await Promise.all(commits.map((commit) => store.append(commit)));
  await first.caughtUp();
  const live = await first.view.dump();
  slow = true;
  const rebuilding = assert.rejects(first.view.rebuild(), { type: "VIEW_STOPPED", code: 503 });
  await first.stop();
  await rebuilding;
  const again = await startNode(t, "broken");
  assert.equal((await again.call<Progress>("progress")).generation, 1);
  assert.equal((await again.call<{ generation: number }>("rebuild")).generation, 2);
  await again.view.totals("colour", {}, "s0@1");
  assert.deepEqual((await again.view.dump()).filter(isDocument), live.filter(isDocument));
});

test("a definition with another number is made from the record before it is asked, and a node of before goes on with its own", async (t) => {
  const older = await startNode(t, "raised");
  for (let n = 0; n < 700; n++) await older.add(`s${n % 20}`, 1, "red");
  const newer = { ...shelves, number: 2, columns: { ...shelves.columns, length: ({ id }: Shelf) => String(id.length) } };
  const later = await startNode(t, "raised", newer);
  assert.equal((await later.list({ limit: 200 })).items.length, 20, "at once");
  const { version } = await later.add("s1", 5, "blue");
  for (const node of [older, later]) assert.deepEqual(ids(await node.list({ seen: `s1@${version}`, colour: "blue" })), ["s1"]);
});

test("what cannot be shown waits apart, is listed, and is shown once it is let go; all else goes on meanwhile", async (t) => {
  const { add, list, call, caughtUp } = await startNode(t, "poison");
  await add("bad", 1, "red");
  const { version } = await add("bad", 1, "poison");
  await add("bad", 1, "blue");
  const good = await add("good", 1, "blue");
  assert.deepEqual(ids(await list({ seen: `good@${good.version}` })), ["bad", "good"]);
  await assert.rejects(list({ seen: `bad@${version}` }), { type: "VIEW_BEHIND" });
  type Letters = { items: { follower: string; stream: string; version: number; error: string }[] };
  assert.deepEqual((await call<Letters>("deadLetters.list")).items, [], "it is still being tried");
  await caughtUp();
});

test("two processes share a view: what either writes both list, one of them fills it, and a rebuild by one is the other's too", async (t) => {
  const node = await startNode(t);
  const other = await startOtherNode(t, DATA_DIR, ...MODULES);
  for (let n = 0; n < 50; n++)
    await (n % 2 ? node.add(`s${n}`, n + 1, "red") : other.call("v1.tally.add", { id: `s${n}`, amount: n + 1, word: "red" }));
  const { version } = await node.add("last", 99, "red");
  const theirs = await other.call<Page>("v1.shelf.list", { seen: `last@${version}`, limit: 200 });
  assert.deepEqual(theirs.items, (await node.list({ limit: 200 })).items);
  const both = await Promise.allSettled([node.call("rebuild"), other.call("v1.shelf.rebuild", {})]);
  assert.ok(both.some(({ status }) => status === "fulfilled"));
  for (const one of both) if (one.status === "rejected") assert.equal(one.reason.type, "REBUILD_RUNS");
  await node.add("after", 1, "red");
  await other.call("v1.tally.add", { id: "after2", amount: 1, word: "red" });
  for (const list of [node.list, (params: object) => other.call<Page>("v1.shelf.list", params)]) {
    assert.equal((await list({ seen: "after2@1", limit: 200 })).items.length, 53);
  }
});

test("a process dies in the midst of a rebuild: whoever asks for the next one has it, at the first time of asking", async (t) => {
  const node = await startNode(t);
  for (let n = 0; n < 40; n++) await Promise.all(Array.from({ length: 25 }, (_, i) => node.add(`many${n * 25 + i}`, 1, "red")));
  const other = await startOtherNode(t, DATA_DIR, ...MODULES);
  const asked = other.call("v1.shelf.rebuild", {}).catch(() => {});
  await until(async () => ((await other.call<Progress>("v1.shelf.progress", {})).rebuilding ? true : undefined));
  await other.kill();
  await asked;
  const before = (await node.call<Progress>("progress")).generation;
  assert.ok((await node.call<{ generation: number }>("rebuild")).generation > before);
  assert.equal((await node.list({ seen: "many999@1", limit: 1 })).items.length, 1);
});

test("the process that fills a view dies: another one goes on, and nothing is missing", async (t) => {
  const first = await startOtherNode(t, DATA_DIR, ...MODULES);
  await first.call("v1.tally.add", { id: "before", amount: 1, word: "death" });
  await until(() => first.call("v1.shelf.list", { seen: "before@1" }).catch(() => undefined)); // a dead one's lease may still run
  const second = await startOtherNode(t, DATA_DIR, ...MODULES);
  await first.kill();
  for (let n = 0; n < 20; n++) await second.call("v1.tally.add", { id: `heir${n}`, amount: 1, word: "death" });
  const listed = await until(() => second.call<Page>("v1.shelf.list", { seen: "heir19@1", tag: "death" }).catch(() => undefined));
  assert.equal(listed.items.length, 21);
});
