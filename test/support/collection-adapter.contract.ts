import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { Query } from "mingo";
import type { Update } from "../../mixins/storage/collection.writes.ts";
import type { CollectionAdapter, Cursor, Find, IndexDeclaration, Stored } from "../../mixins/storage/collection-store.ts";
import { conditions, documents, forMingo, query, sortable, sorts } from "./queries.generated.ts";

type Doc = Record<string, unknown>;
type Filters = Omit<Find, "sort"> & { sort?: string | readonly string[]; search?: string };

/** What moleculer-db asks of an adapter. */
export interface Adapter extends CollectionAdapter {
  find(filters?: Filters): Promise<Stored[]>;
  findOne(query: Doc): Promise<Stored | undefined>;
  findById(id: string): Promise<Stored | undefined>;
  findByIds(ids: readonly string[]): Promise<Stored[]>;
  count(filters?: Filters): Promise<number>;
  insert(entity: Doc): Promise<Stored>;
  insertMany(entities: readonly Doc[]): Promise<Stored[]>;
  updateMany(query: Doc, update: Update): Promise<number>;
  updateById(id: string, update: Update): Promise<Stored | undefined>;
  removeMany(query: Doc): Promise<number>;
  removeById(id: string): Promise<Stored | undefined>;
  clear(): Promise<number>;
  beforeSaveTransformID(entity: Doc, idField: string): Doc;
  afterRetrieveTransformID(entity: Doc, idField: string): Doc;
}

export interface AdapterDriver {
  /** An adapter of this room; each time another one on the same documents. */
  open(room: string, settings: { indexes?: readonly IndexDeclaration[] }): Promise<Adapter>;
  /** Makes the room as if there had never been a document. */
  empty(adapter: Adapter): Promise<void>;
  /** Whether the server answers every question as MongoDB does: the stand-in misses what fields of numbers and of empty arrays lack. */
  exact: boolean;
  /** How many random rounds each property gets. */
  rounds: number;
}

const indexes: IndexDeclaration[] = [
  { fields: ["a"] },
  { fields: ["s"] },
  { fields: ["b", "a"] },
  { fields: ["b", "s"] },
  { fields: ["n.x"] },
  { fields: ["tags", "s"] },
];

const ids = (found: { _id?: unknown }[]) => found.map((doc) => doc._id);

const missesFieldsOf = (query: unknown, docs: readonly { n?: unknown }[]) =>
  JSON.stringify(query).includes('"n.x":{"$exists":false}') && docs.some(({ n }) => Array.isArray(n) && n.length === 0);

/** What every adapter of a collection must do. */
export const adapterContract = (driver: AdapterDriver): void => {
  const open: Adapter[] = [];
  const adapterOf = async (room: string, settings: { indexes?: readonly IndexDeclaration[] }) => {
    const adapter = await driver.open(room, settings);
    open.push(adapter);
    return adapter;
  };
  let plain: Adapter;
  let indexed: Adapter;
  before(async () => {
    plain = await adapterOf("plain", {});
    indexed = await adapterOf("indexed", { indexes });
  });
  after(async () => {
    for (const adapter of open) await adapter.disconnect();
  });
  const fill = async (docs: Doc[], adapters = [plain, indexed]) => {
    for (const adapter of adapters) {
      await driver.empty(adapter);
      await adapter.insertMany(docs);
    }
  };

  test("a query finds what MongoDB's would, with indexes and without", async () => {
    await fc.assert(
      fc.asyncProperty(documents, fc.array(query, { minLength: 1, maxLength: 8 }), async (docs, queries) => {
        const json = JSON.parse(JSON.stringify(docs)) as typeof docs;
        await fill(json);
        for (const q of queries) {
          if (!driver.exact && missesFieldsOf(q, json)) continue;
          const expected = ids(new Query(forMingo(q) as object).find(json).all() as typeof docs).sort();
          for (const adapter of [plain, indexed]) {
            assert.deepEqual(ids(await adapter.find({ query: q as Record<string, unknown> })).sort(), expected, JSON.stringify(q));
            assert.equal(await adapter.count({ query: q as Record<string, unknown> }), expected.length);
          }
        }
      }),
      { numRuns: driver.rounds },
    );
  });

  test("what was removed is told page by page, each once", async () => {
    const made = Array.from({ length: 7 }, (_, n) => ({ _id: `r-${n}`, _key: `key-${n}`, a: n }));
    await fill(made, [plain]);
    await plain.removeMany({ a: { $gte: 2 } });
    const found: Doc[] = [];
    for (let page = await plain.documents.removed("", 2); page.length > 0; page = await plain.documents.removed(page.at(-1)!._id, 2)) {
      found.push(...page);
    }
    assert.deepEqual(
      found.map(({ _id, _key }) => ({ _id, _key })),
      made.slice(2).map(({ _id, _key }) => ({ _id, _key })),
    );
  });

  test("an order and its pages are MongoDB's, with indexes and without", async () => {
    await fc.assert(
      fc.asyncProperty(sortable, conditions, sorts, fc.nat(5), fc.nat(3), async (docs, q, sort, limit, offset) => {
        const json = JSON.parse(JSON.stringify(docs)) as typeof docs;
        await fill(json);
        const spec = Object.fromEntries(
          [...sort, sort[0]!.startsWith("-") ? "-_id" : "_id"].map((s) => [s.replace("-", ""), s.startsWith("-") ? -1 : 1]),
        );
        const all = ids(new Query(forMingo(q) as object).find(json).sort(spec).all() as typeof docs);
        for (const adapter of [plain, indexed]) {
          assert.deepEqual(ids(await adapter.find({ query: q, sort })), all);
          assert.deepEqual(ids(await adapter.find({ query: q, sort, limit, offset })), all.slice(offset, offset + limit));
        }
      }),
      { numRuns: driver.rounds },
    );
  });

  test("pages one after another are the whole, and an order that no index has is refused", async () => {
    const orders = fc.constantFrom(["a"], ["-a"], ["s"], ["-s"], ["b", "a"], ["-b", "-a"], ["_id"], ["-_id"]);
    const paged = await adapterOf("paged", { indexes }); // where no document ever had several values in a field that is sorted by
    const withLists = sortable.map((docs) => docs.map((doc, i) => (i % 5 === 0 ? { ...doc, s: i % 2 ? [] : [doc.s] } : doc)));
    await fc.assert(
      fc.asyncProperty(withLists, conditions, orders, fc.integer({ min: 1, max: 4 }), async (docs, q, sort, limit) => {
        await fill(JSON.parse(JSON.stringify(docs)), [paged]);
        const found: unknown[] = [];
        for (let after: Cursor | undefined; ; ) {
          const { documents, next } = await paged.documents.page({ query: q, sort, limit, after });
          found.push(...ids(documents));
          after = next;
          if (!after) break;
        }
        assert.deepEqual(found, ids(await paged.find({ query: q, sort })));
      }),
      { numRuns: driver.rounds },
    );
    const refused = async (sort: string[]) =>
      assert.rejects(async () => paged.documents.page({ sort, limit: 1 }), { type: "QUERY_REFUSED", code: 400 });
    await refused(["y"]);
    await refused(["a", "-s"]);
  });

  test("where mingo differs, the meaning is MongoDB's", async () => {
    await fill([
      { _id: "objects", n: [{ x: 1 }, {}] },
      { _id: "numbers", n: [1, 2] },
      { _id: "empty", n: [] },
      { _id: "order", n: { x: 1, y: 2 } },
      { _id: "whole", tags: ["a", "b"] },
      { _id: "nested", tags: [["a", "b"], "c"] },
    ]);
    const among = ["objects", "numbers", "empty"];
    const found = async (query: Record<string, unknown>) => {
      const [one, two] = await Promise.all([plain, indexed].map(async (adapter) => ids(await adapter.find({ query })).sort()));
      assert.deepEqual(one, two);
      return one;
    };
    if (driver.exact) {
      assert.deepEqual(await found({ "n.x": null, _id: { $in: among } }), ["objects"]); // one of its objects has no x; numbers have no fields to lack
      assert.deepEqual(await found({ "n.x": { $exists: false }, _id: { $in: among } }), ["empty", "numbers"]);
    }
    assert.deepEqual(await found({ n: { y: 2, x: 1 } }), []); // an object is the same only with its fields in the same order
    assert.deepEqual(await found({ n: { x: 1, y: 2 } }), ["order"]);
    assert.deepEqual(await found({ tags: { $in: [["a", "b"], 7] } }), ["nested", "whole"]);
    assert.deepEqual(await found({ n: { $in: [[]] } }), ["empty"]);
  });

  test("an array is sorted by its least element, downwards by its greatest, an empty one before null", async () => {
    await fill([
      { _id: "1to9", a: [9, 1] },
      { _id: "5", a: 5 },
      { _id: "4to6", a: [4, 6] },
      { _id: "none" },
      { _id: "null", a: null },
      { _id: "empty", a: [] },
    ]);
    for (const adapter of [plain, indexed]) {
      assert.deepEqual(ids(await adapter.find({ sort: ["a"] })), ["empty", "none", "null", "1to9", "4to6", "5"]);
      assert.deepEqual(ids(await adapter.find({ sort: ["-a"] })), ["1to9", "4to6", "5", "null", "none", "empty"]);
    }
  });

  test("what a query cannot mean here is refused, not guessed", async () => {
    const refused: Record<string, unknown>[] = [
      { a: { $regex: "^a" } },
      { a: /^a/ },
      { a: new Date() },
      { a: undefined },
      { a: { $gt: null } },
      { a: { $lt: [1] } },
      { a: { $in: 1 } },
      { a: { $exists: 1 } },
      { a: { $prefix: 1 } },
      { a: { $eq: 1, b: 2 } },
      { a: { b: { $gt: 1 } } },
      { "tags.0": "a" },
      { "a..b": 1 },
      { "__proto__.a": 1 },
      { $nor: [{ a: 1 }] },
      { $where: "1" },
      { $or: [] },
      { $and: { a: 1 } },
    ];
    for (const query of refused) await assert.rejects(plain.find({ query }), { type: "QUERY_REFUSED", code: 400 }, JSON.stringify(query));
    await assert.rejects(plain.find({ search: "a" }), { type: "QUERY_REFUSED" });
    await assert.rejects(plain.updateMany({}, { $inc: { a: 1 } } as object), { type: "QUERY_REFUSED" });
  });

  test("what moleculer-db asks of an adapter, it does", async () => {
    await fill([]);
    const one = await plain.insert({ a: 1 });
    assert.equal(one.version, 1);
    await assert.rejects(plain.insert({ _id: one._id }), { type: "DOCUMENT_EXISTS", code: 409 });
    const many = await plain.insertMany([
      { _id: "x", a: 2 },
      { _id: "y", a: 3 },
    ]);
    assert.deepEqual(ids(await plain.findByIds(["y", "nobody", "x"])), ["y", "x"]);
    await assert.rejects(plain.insertMany([{ _id: "z" }, { _id: "x" }]), { type: "DOCUMENT_EXISTS" });
    assert.equal(await plain.findById("z"), undefined, "what is refused is not stored in part");
    assert.equal(await plain.updateMany({ a: { $gte: 2 } }, { $set: { b: 1 }, $unset: { a: 1 } }), 2);
    assert.deepEqual(await plain.findOne({ b: 1 }), { _id: "x", b: 1, version: 2 });
    assert.equal((await plain.updateById("y", { $set: { a: 9 } }))?.version, 3);
    assert.equal(await plain.updateById("nobody", { $set: { a: 9 } }), undefined);
    assert.equal((await plain.removeById("y"))?.a, 9);
    await assert.rejects(plain.insert({ _id: "y" }), { type: "DOCUMENT_REMOVED", code: 410 });
    assert.equal(await plain.clear(), 2);
    assert.equal(await plain.count(), 0);
    assert.deepEqual(plain.afterRetrieveTransformID({ ...many[0] }, "id"), { id: "x", a: 2, version: 1 });
    assert.deepEqual(plain.beforeSaveTransformID({ id: "x", a: 2 }, "id"), { _id: "x", a: 2 });
  });

  test("an index that a newer version declares is there for the documents of the older one, and kept by it", async () => {
    const older = await adapterOf("grown", { indexes: [{ fields: ["a"] }] });
    await older.insertMany([{ _id: "1", code: "x" }, { _id: "2", code: "y" }, { _id: "3" }, { _id: "4" }]);
    const newer = await adapterOf("grown", { indexes: [{ fields: ["code"], unique: true }] });
    await older.insert({ _id: "5", code: "z" });
    await assert.rejects(older.insert({ _id: "6", code: "x" }), { type: "VALUE_TAKEN", code: 409 });
    assert.deepEqual(ids((await newer.documents.page({ sort: ["code"], limit: 9 })).documents), ["3", "4", "1", "2", "5"]);
    await older.updateById("1", { $set: { code: "y2" } });
    await older.insert({ _id: "6", code: "x" });
  });
};
