import assert from "node:assert/strict";
import { test } from "node:test";
import type { Context } from "moleculer";
import { type Cached, cached, keyOf } from "./cached.mixin.ts";
import type { Meta } from "./core/context.ts";

const cacheOf = (options?: object) => cached(options).methods as unknown as Cached;

test("an answer is kept, frozen, until its stamp changes", () => {
  const cache = cacheOf();
  let loads = 0;
  const load = () => ({ n: ++loads, list: [] });
  const first = cache.cached("k", 1, load);
  assert.equal(cache.cached("k", 1, load), first);
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.list));
  assert.equal(cache.cached("k", 2, load).n, 2);
});

test("many who ask at once wait for one load; one that fails is not kept", async () => {
  const cache = cacheOf();
  const { promise, resolve } = Promise.withResolvers<void>();
  let loads = 0;
  const load = async () => {
    await promise;
    return { n: ++loads };
  };
  const both = [cache.cached("k", 1, load), cache.cached("k", 1, load)];
  const newer = cache.cached("k", 2, async () => ({ n: 100 }));
  resolve();
  assert.deepEqual(await Promise.all(both), [{ n: 1 }, { n: 1 }]);
  assert.deepEqual(await newer, { n: 100 });
  assert.notDeepEqual(await cache.cached("k", 3, load), { n: 100 });

  const failing = cache.cached("f", 1, async (): Promise<object> => {
    throw new Error("no");
  });
  await assert.rejects(async () => failing);
  assert.deepEqual(await cache.cached("f", 1, async () => ({ ok: true })), { ok: true });
});

test("the cache holds so many answers, and so many bytes of them", () => {
  const cache = cacheOf({ max: 3, maxBytes: 1_000 });
  const first = cache.cached("0", 1, () => ({ n: 0 }));
  for (const n of [1, 2, 3]) cache.cached(String(n), 1, () => ({ n }));
  assert.notEqual(
    cache.cached("0", 1, () => ({ n: 0 })),
    first,
  );
  const large = () => ({ text: "x".repeat(2_000) });
  assert.notEqual(cache.cached("large", 1, large), cache.cached("large", 1, large));
});

test("what depends on who asks is kept for them alone", () => {
  const ctx = (user?: Meta["user"]) =>
    ({ action: { name: "v1.x.get" }, params: { id: "1" }, meta: { user } }) as unknown as Context<unknown, Meta>;
  const [ann, bob] = [ctx({ id: "ann", roles: ["b", "a"] }), ctx({ id: "bob", roles: ["a", "b"] })];
  assert.equal(keyOf(ann), keyOf(bob));
  assert.equal(keyOf(ann, "roles"), keyOf(bob, "roles"));
  assert.notEqual(keyOf(ann, "roles"), keyOf(ctx(), "roles"));
  assert.notEqual(keyOf(ann, "user"), keyOf(bob, "user"));
});
