import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import type { CollectionOptions } from "../../mixins/collection.mixin.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";

/** The room that the contract is about. */
export const noteRoom: CollectionOptions = {
  name: "notes",
  entity: "Note",
  fields: {
    title: { type: "string", min: 1, max: 100 },
    text: { type: "string", max: 1_000, optional: true },
    stars: "number|integer|min:0|max:5|default:0",
    labels: { type: "array", items: "string", max: 5, optional: true },
    more: { type: "object", optional: true },
  },
  sorts: ["title", "stars"],
  folded: "title",
  filters: ["stars", "labels"],
};

export interface Note {
  id: string;
  version: number;
  title: string;
  text?: string;
  stars: number;
}
export type List = { items: Note[]; next?: string };

export type Call = <T = Note>(action: string, params: object, meta?: object) => Promise<T>;

/** What every room of documents must do, on whatever it stores them. Answers how to call it. */
export const collectionContract = (notes: ServiceSchema): Call => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService(notes);
  before(() => broker.start());
  after(() => broker.stop());
  const call: Call = (action, params, meta = {}) => broker.call(`v1.notes.${action}`, params, { meta }) as never;

  test("nothing is left of what moleculer-db would let a stranger do", async () => {
    const actions = broker.registry.actions.list({ onlyLocal: true }).map(({ name }: { name: string }) => name);
    assert.deepEqual(
      actions.filter((name: string) => name.startsWith("v1.notes.")).sort(),
      ["commits", "create", "get", "list", "remove", "saveMany", "update"].map((name) => `v1.notes.${name}`),
    );
    const made = await call<Note & Record<string, unknown>>("create", {
      id: "n1",
      title: "One",
      _id: "n2",
      _title: "x",
      version: 7,
      hidden: true,
    });
    assert.deepEqual(Object.keys(made).sort(), ["createdAt", "id", "stars", "title", "updatedAt", "version"]);
    assert.equal(made.version, 1);
    const moved = await call("update", { id: "n1", _id: "n2", title: "Uno", query: { title: "x" } });
    assert.equal(moved.id, "n1");
    await assert.rejects(call("get", { id: "n2", query: { $where: "1" } }), { type: "DOCUMENT_NOT_FOUND", code: 404 });
  });

  test("the rules of a field hold for a change, too; null takes away what may be missing", async () => {
    await call("create", { id: "ruled", title: "Ruled", text: "some" });
    await assert.rejects(call("update", { id: "ruled", title: "" }), { code: 422 });
    await assert.rejects(call("update", { id: "ruled", title: null }), { code: 422 });
    await assert.rejects(call("update", { id: "ruled", stars: 6 }), { code: 422 });
    await assert.rejects(call("saveMany", { items: [{ id: "ruled", stars: 1 }, { id: "untitled" }] }), { code: 422 });
    const changed = await call("update", { id: "ruled", text: null });
    assert.equal("text" in changed, false);
    assert.equal((await call("get", { id: "ruled" })).version, 2);
  });

  test("two who read the same version: the second to write is told", async () => {
    await call("create", { id: "shared", title: "Shared" });
    await call("update", { id: "shared", title: "Mine" }, { ifVersion: 1 });
    await assert.rejects(call("update", { id: "shared", title: "Yours" }, { ifVersion: 1 }), { type: "VERSION_MISMATCH", code: 412 });
    await assert.rejects(call("remove", { id: "shared" }, { ifVersion: 1 }), { type: "VERSION_MISMATCH" });
    assert.equal((await call("get", { id: "shared" })).title, "Mine");
  });

  test("what was removed does not come back by a late write", async () => {
    await call("create", { id: "gone", title: "Gone" });
    const removed = await call("remove", { id: "gone" });
    assert.deepEqual(removed, { id: "gone", version: 2 });
    assert.deepEqual(await call("remove", { id: "gone" }), removed);
    for (const [action, params] of Object.entries({ update: { title: "x" }, create: { title: "x" }, get: {} })) {
      await assert.rejects(call(action, { id: "gone", ...params }), { type: "DOCUMENT_REMOVED", code: 410 });
    }
    const counts = await call<object>("saveMany", { items: [{ id: "gone", title: "x" }] });
    assert.deepEqual(counts, { created: 0, changed: 0, unchanged: 0, skipped: 1 });
  });

  test("a request that comes again under its key has one effect; another one under it is refused", async () => {
    const meta = { user: { id: "u1", roles: [] }, idempotencyKey: "k1" };
    const made = await call("create", { title: "Keyed" }, meta);
    assert.deepEqual(await call("create", { title: "Keyed" }, meta), made);
    await assert.rejects(call("create", { title: "Other" }, meta), { type: "KEY_REUSED", code: 422 });
    await assert.rejects(call("remove", { id: made.id }, meta), { type: "KEY_REUSED" });
    const other = await call("create", { title: "Keyed" }, { ...meta, user: { id: "u2", roles: [] } });
    assert.notEqual(other.id, made.id);

    const change = { ...meta, idempotencyKey: "k2", ifVersion: 1 };
    const changed = await call("update", { id: made.id, title: "Changed" }, change);
    await call("update", { id: made.id, title: "Later" });
    assert.deepEqual(await call("update", { id: made.id, title: "Changed" }, change), changed);
    assert.equal((await call("get", { id: made.id })).title, "Later");

    const refused = { ...meta, idempotencyKey: "k3" };
    await assert.rejects(call("update", { id: "later", title: "T" }, refused), { type: "DOCUMENT_NOT_FOUND" });
    await call("create", { id: "later", title: "L" });
    assert.equal((await call("update", { id: "later", title: "T" }, refused)).title, "T");
  });

  test("what changed nothing under its key changes nothing later either", async () => {
    const meta = { user: { id: "u1", roles: [] }, idempotencyKey: "nothing" };
    const made = await call("create", { id: "still", title: "Still" });
    assert.deepEqual(await call("update", { id: "still", title: "Still" }, meta), made);
    const later = await call("update", { id: "still", title: "Moved" });
    assert.deepEqual(await call("update", { id: "still", title: "Still" }, meta), made);
    assert.deepEqual(await call("get", { id: "still" }), later);
    await assert.rejects(call("update", { id: "still", title: "Other" }, meta), { type: "KEY_REUSED" });
  });

  test("pages show each note once, in order, whatever is written between them", async () => {
    const titles = fc.array(
      fc.constantFrom("a", "A", "b", "ab", "é", "", "z").map((t) => `p${t}`),
      { minLength: 1, maxLength: 30 },
    );
    const sorts = fc.constantFrom("title", "-title", "stars", "-stars");
    let round = 0;
    await fc.assert(
      fc.asyncProperty(titles, sorts, fc.integer({ min: 1, max: 7 }), async (all, sort, limit) => {
        const label = `round${round++}`;
        const items = all.map((title, i) => ({ id: `${label}-${i}`, title, stars: i % 3, labels: [label, "x"] }));
        await call("saveMany", { items });
        const seen: Note[] = [];
        for (let after: string | undefined; ; ) {
          const page: List = await call<List>("list", { labels: label, sort, limit, after });
          assert.ok(page.items.length <= limit);
          seen.push(...page.items);
          after = page.next;
          if (!after) break;
          await call("update", { id: `${label}-0`, text: `seen ${seen.length}` }); // moves no place in this order
        }
        assert.equal(new Set(seen.map(({ id }) => id)).size, items.length);
        const keys = seen.map((note) => (sort.endsWith("title") ? note.title.normalize("NFKC").toLowerCase() : note.stars));
        const sorted = keys.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        assert.deepEqual(keys, sort.startsWith("-") ? sorted.reverse() : sorted);
      }),
      { numRuns: 40 },
    );
  });

  test("a list takes no order, filter or place that the room did not offer", async () => {
    await assert.rejects(call("list", { sort: "text" }), { code: 422 });
    await assert.rejects(call("list", { limit: 201 }), { code: 422 });
    const { next } = await call<List>("list", { limit: 1, sort: "title" });
    for (const after of ["nonsense", "e30", Buffer.from("[1]").toString("base64url"), next]) {
      await assert.rejects(call("list", { after, sort: "stars" }), { type: "CURSOR_INVALID", code: 400 });
    }
    await assert.rejects(call("list", { labels: { $ne: 1 } }), { code: 422 });
  });

  test("a page of few among many comes back short, and the next ones find the rest", async () => {
    for (let n = 0; n < 3; n++) {
      const items = Array.from({ length: 900 }, (_, i) => ({
        id: `many-${n}-${i}`,
        title: `many ${n} ${i}`,
        stars: 1,
        labels: i === 899 ? ["rare"] : [],
      }));
      await call("saveMany", { items });
    }
    const found: Note[] = [];
    let pages = 0;
    for (let after: string | undefined; pages === 0 || after; pages++) {
      const page: List = await call<List>("list", { search: "many", sort: "stars", labels: "rare", after });
      found.push(...page.items);
      after = page.next;
    }
    assert.deepEqual(found.map(({ id }) => id).sort(), ["many-0-899", "many-1-899", "many-2-899"]);
    assert.ok(pages <= 3);
  });

  test("a change that changes nothing is no write", async () => {
    const made = await call("create", { id: "same", title: "Same", labels: ["a"] });
    assert.deepEqual(await call("update", { id: "same", title: "Same", labels: ["a"], text: null }), made);
  });
  test("a list and a note are never older than the last write that was acknowledged", async () => {
    const list = () => call<List>("list", { search: "fresh" });
    assert.deepEqual((await list()).items, []);
    const made = await call("create", { id: "fresh", title: "Fresh" });
    assert.deepEqual((await list()).items, [made]);
    assert.deepEqual(await call("get", { id: "fresh" }), made);
    await call("update", { id: "fresh", stars: 5 });
    assert.equal((await call("get", { id: "fresh" })).stars, 5);
    await assert.rejects(call("list", { seen: "fresh@9" }), { type: "VIEW_BEHIND", code: 503 });
    assert.equal((await call<List>("list", { search: "fresh", seen: "fresh@2" })).items.length, 1);
  });

  test("the record has each note once, as it is now, with who and why, and can be read in pages", async () => {
    const meta = { user: { id: "u9", roles: [] }, cause: "c1", occurredAt: Date.parse("2011-06-01T00:00:00Z") };
    await call("create", { id: "l1", title: "L1" }, meta);
    await call("create", { id: "l2", title: "L2" });
    const last = await call("update", { id: "l1", title: "L1 again" }, meta);
    await call("remove", { id: "l2" });
    await call("create", { id: "l3", title: "L3" });
    for (let i = 0; i < 20; i++) await call("update", { id: "l3", title: `L3 ${i}` });
    const commits: Logged[] = [];
    for (let after: string | undefined = ""; after !== undefined; ) {
      const page: { commits: Logged[]; next?: string } = await call("commits", { after, limit: 7 });
      commits.push(...page.commits);
      after = page.next;
    }
    assert.equal(new Set(commits.map(({ stream }) => stream)).size, commits.length);
    const of = (id: string) => commits.find(({ stream }) => stream === id)!;
    assert.deepEqual(
      [of("l1"), of("l2")].map(({ version, events }) => ({ version, events })),
      [
        { version: 2, events: [{ type: "NoteSaved", document: last }] },
        { version: 2, events: [{ type: "NoteRemoved" }] },
      ],
    );
    const { by, cause, occurredAt } = of("l1");
    assert.deepEqual({ by, cause, occurredAt }, { by: "u9", cause: "c1", occurredAt: meta.occurredAt });
    const { past, ...rest } = of("l2");
    assert.deepEqual(Object.keys(rest).sort(), ["at", "events", "id", "occurredAt", "position", "request", "stream", "version"]);
    assert.deepEqual(
      past!.map(({ version, type }) => [version, type]),
      [[1, "NoteSaved"]],
    );
    assert.deepEqual(
      of("l1").past!.map(({ version, by, cause }) => [version, by, cause]),
      [[1, "u9", "c1"]],
    );
    const versions = of("l3").past!.map(({ version }) => version);
    assert.deepEqual(
      versions,
      Array.from({ length: 16 }, (_, i) => 5 + i),
      "the latest of them",
    );
  });

  test("what a note may hold comes back as it was, whatever its fields are named", async () => {
    const odd = { "a.b": 1, $set: { $x: ["$y"] }, "~2e": "~", "": 0, "\u0000": "\u0000", deep: [{ "c.d": null, e: [] }] };
    const made = await call<Note & { more: object }>("create", { id: "odd", title: "Odd", more: odd });
    const { deep, ...rest } = odd;
    assert.deepEqual(made.more, { ...rest, deep: [{ e: [] }] });
    assert.deepEqual(await call("get", { id: "odd" }), made);
    assert.deepEqual(await call("update", { id: "odd", more: odd }), made);
  });

  return call;
};
