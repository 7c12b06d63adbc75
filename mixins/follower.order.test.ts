import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ordered } from "./follower.order.ts";
import type { Logged } from "./storage/event-store.ts";

const commit = (stream: string, version: number, whole = true): Logged =>
  ({ id: `${stream}@${version}`, stream, version, events: whole ? [{ type: "Said" }] : [], position: 0, at: 1, occurredAt: 1 }) as Logged;

/** A record that answers at most so many commits at once, up to what it has. */
const recordOf = (lengths: Readonly<Record<string, number>>, page = 3) => {
  const asked: string[] = [];
  const read = async (stream: string, after: number) => {
    asked.push(`${stream}@${after}`);
    const last = Math.min(lengths[stream] ?? 0, after + page);
    return Array.from({ length: Math.max(0, last - after) }, (_, n) => commit(stream, after + n + 1));
  };
  return { asked, read };
};

const labels = (commits: readonly Logged[]) => commits.map(({ id }) => id);

test("what comes in order is taken as it comes, and nobody asks the record", async () => {
  const { asked, read } = recordOf({});
  const came = [commit("a", 1), commit("b", 4), commit("a", 2)];
  const { commits, reached } = await ordered(came, new Map([["b", 3]]), read);
  assert.deepEqual(labels(commits), labels(came));
  assert.deepEqual(
    [...reached!],
    [
      ["b", 4],
      ["a", 2],
    ],
  );
  assert.deepEqual(asked, []);
});

test("what has been seen is dropped, and says nothing of having been reached", async () => {
  const { commits, reached } = await ordered([commit("a", 1), commit("a", 2)], new Map([["a", 2]]), recordOf({ a: 2 }).read);
  assert.deepEqual([commits, reached!.size], [[], 0]);
});

test("a gap is filled from the record, as far as that goes; what comes of it later is dropped", async () => {
  const { commits } = await ordered([commit("a", 4), commit("a", 2), commit("a", 5)], new Map(), recordOf({ a: 6 }, 100).read);
  assert.deepEqual(labels(commits), labels([1, 2, 3, 4, 5, 6].map((version) => commit("a", version))));
});

test("what came by name only is read from the record", async () => {
  const { commits } = await ordered([commit("a", 1, false)], new Map(), recordOf({ a: 1 }).read);
  assert.deepEqual(commits[0]!.events, [{ type: "Said" }]);
});

test("what the record does not know is not taken: a bus may have survived a database that was put back", async () => {
  const { commits, reached } = await ordered([commit("a", 9)], new Map([["a", 2]]), recordOf({ a: 2 }).read);
  assert.deepEqual([commits, reached!.size], [[], 0]);
});

test("whatever is lost, doubled and mixed up, each stream comes once, in its order and without a gap", async () => {
  const deliveries = fc.array(
    fc.record({ stream: fc.constantFrom("a", "b", "c"), version: fc.integer({ min: 1, max: 12 }), whole: fc.boolean() }),
    { maxLength: 40 },
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(deliveries, sizes, async (all, cuts) => {
      const { read } = recordOf({ a: 12, b: 12, c: 12 });
      const reached = new Map<string, number>();
      const got: Logged[] = [];
      for (let from = 0, n = 0; from < all.length; n++) {
        const batch = all.slice(from, from + cuts[n % cuts.length]!);
        from += batch.length;
        const came = batch.map(({ stream, version, whole }) => commit(stream, version, whole));
        const fresh = await ordered(came, reached, read);
        for (const [stream, version] of fresh.reached!) reached.set(stream, version);
        got.push(...fresh.commits);
      }
      for (const stream of ["a", "b", "c"]) {
        const versions = got.filter((one) => one.stream === stream).map(({ version }) => version);
        assert.deepEqual(
          versions,
          versions.map((_, n) => n + 1),
        );
        const highest = Math.max(0, ...all.filter((one) => one.stream === stream).map(({ version }) => version));
        assert.ok(versions.length >= highest, "what came is there, too");
        assert.equal(reached.get(stream) ?? 0, versions.length);
      }
    }),
  );
});

test("a long gap of large commits is filled part by part: what came is asked for again until all of it is there", async () => {
  const word = "x".repeat(1_000_000);
  const large = (stream: string, version: number) => ({ ...commit(stream, version), events: [{ type: "Said", word } as never] }) as Logged;
  const read = async (stream: string, after: number) =>
    [1, 2, 3].map((n) => large(stream, after + n)).filter(({ version }) => version <= 60);
  const came = [commit("a", 60, false), commit("b", 1), commit("c", 30, false)];
  const reached = new Map<string, number>();
  const got: Logged[] = [];
  for (let more: true | undefined = true; more; ) {
    const fresh = await ordered(came, reached, read);
    assert.ok(fresh.commits.length > 0 && fresh.commits.length < 30, `${fresh.commits.length} megabytes at once`);
    for (const [stream, version] of fresh.reached!) reached.set(stream, version);
    got.push(...fresh.commits);
    ({ more } = fresh);
  }
  assert.deepEqual(labels(got.filter(({ stream }) => stream === "a")), labels(Array.from({ length: 60 }, (_, n) => commit("a", n + 1))));
  assert.deepEqual([...reached.keys()].sort(), ["a", "b", "c"]);
  assert.ok(reached.get("c")! >= 30);
});
