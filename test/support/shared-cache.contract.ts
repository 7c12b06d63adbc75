import assert from "node:assert/strict";
import { test } from "node:test";
import type { Claim, SharedCache, Ticket } from "../../mixins/storage/shared-cache.ts";
import { until } from "./other-node.ts";

const AGE = 60_000;
let made = 0;
const newTopic = () => `topic${++made}`;

/** The ticket of whoever is told to load. */
export const ticketOf = (claim: Claim | undefined): Ticket => {
  if (claim?.kind !== "load") assert.fail(`expected to load, was told ${JSON.stringify(claim)}`);
  return claim.ticket;
};

export const jsonOf = (claim: Claim | undefined): string | undefined => (claim?.kind === "kept" ? claim.json : undefined);

/** What every driver of the shared cache must do; `one` and `other` are two nodes. */
export const sharedCacheContract = (nodes: () => { one: SharedCache; other: SharedCache }): void => {
  test("what one node keeps another is given, for as long as it is an answer", async () => {
    const { one, other } = nodes();
    const topic = newTopic();
    assert.ok(await one.put(topic, "k", ticketOf(await one.claim(topic, "k")), '{"é":"\\n"}', 100));
    const claim = await other.claim(topic, "k");
    assert.equal(jsonOf(claim), '{"é":"\\n"}');
    assert.ok(claim?.kind === "kept" && claim.left > 0 && claim.left <= 100);
    await until(async () => (await other.claim(topic, "k"))?.kind === "load");
  });

  test("a late fill never covers a newer value", async () => {
    const { one, other } = nodes();
    const topic = newTopic();
    const late = ticketOf(await one.claim(topic, "k"));
    await other.invalidate(topic);
    assert.equal(await one.put(topic, "k", late, '"old"', AGE), false, "not where nothing has been kept since");
    assert.ok(await other.put(topic, "k", ticketOf(await other.claim(topic, "k")), '"new"', AGE));
    assert.equal(await one.put(topic, "k", late, '"old"', AGE), false, "nor where something has");
    assert.equal(jsonOf(await one.claim(topic, "k")), '"new"');
  });

  test("of two fills without a write between them the one that was begun later stays", async () => {
    const { one, other } = nodes();
    const topic = newTopic();
    const first = ticketOf(await one.claim(topic, "k"));
    const waited = await other.claim(topic, "k");
    assert.ok(waited?.kind === "wait");
    assert.ok(await other.put(topic, "k", waited.ticket, '"later"', AGE));
    assert.equal(await one.put(topic, "k", first, '"sooner"', AGE - 5_000), false);
    assert.equal(jsonOf(await one.claim(topic, "k")), '"later"');
  });

  test("an invalidation takes all answers of its topic and none of another, and the other nodes hear of it", async () => {
    const { one, other } = nodes();
    const [topic, untouched] = [`${newTopic()} with spaces`, newTopic()];
    const heard: (string | undefined)[] = [];
    const echoes: (string | undefined)[] = [];
    const silences = [other.listen((what) => heard.push(what)), one.listen((what) => echoes.push(what))];
    await until(async () => {
      await one.invalidate("are you there");
      return heard.includes("are you there");
    });
    for (const key of ["a", "b"]) await one.put(topic, key, ticketOf(await one.claim(topic, key)), "[]", AGE);
    await one.put(untouched, "a", ticketOf(await one.claim(untouched, "a")), "[]", AGE);
    await one.invalidate(topic);
    assert.deepEqual([(await other.claim(topic, "a"))?.kind, (await other.claim(topic, "b"))?.kind], ["load", "load"]);
    assert.equal((await other.claim(untouched, "a"))?.kind, "kept");
    await until(() => heard.includes(topic));
    assert.ok(!echoes.includes(topic), "whoever invalidates knows it already");
    for (const silence of silences) silence();
  });

  test("of many who miss one is told to load; who gives up lets the next one do it, and nobody else can", async () => {
    const { one, other } = nodes();
    const topic = newTopic();
    const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? one : other).claim(topic, "k")));
    assert.equal(claims.filter((claim) => claim?.kind === "load").length, 1);
    assert.equal(claims.filter((claim) => claim?.kind === "wait").length, 19);
    const loader = ticketOf(claims.find((claim) => claim?.kind === "load"));
    await other.release(topic, "k", { ...loader, token: "somebody else's" });
    assert.equal((await one.claim(topic, "k"))?.kind, "wait");
    await one.release(topic, "k", loader);
    const next = await other.claim(topic, "k");
    assert.equal(next?.kind, "load");
    await other.invalidate(topic);
    assert.equal((await one.claim(topic, "k"))?.kind, "load", "what is loaded for nothing is not waited for");
  });

  test("what is huge is not put, and nobody waits for it", async () => {
    const { one, other } = nodes();
    const topic = newTopic();
    assert.equal(await one.put(topic, "k", ticketOf(await one.claim(topic, "k")), JSON.stringify("x".repeat(1_000_000)), AGE), false);
    assert.deepEqual(await other.claim(topic, "k"), { kind: "alone" });
  });

  test("keys may be any text, and each is its own", async () => {
    const { one, other } = nodes();
    const topic = newTopic();
    const long = "x".repeat(10_000);
    const keys = ["", " ", "a b", "a:b", "a", "=a", "#a", "@", "#", "la", "a\r\nDEL *\r\n", "\0", "é", "{}", "*", long, `${long}y`];
    for (const key of keys) {
      assert.ok(
        await one.put(topic, key, ticketOf(await one.claim(topic, key)), JSON.stringify(key), AGE),
        JSON.stringify(key.slice(0, 20)),
      );
    }
    for (const key of keys) assert.equal(jsonOf(await other.claim(topic, key)), JSON.stringify(key));
  });

  test("a topic holds so much and no more; then it begins anew", async () => {
    const { one } = nodes();
    const topic = newTopic();
    const body = JSON.stringify("x".repeat(200_000));
    const keys = Array.from({ length: 200 }, (_, i) => String(i)); // 40 MB
    for (const key of keys) await one.put(topic, key, ticketOf(await one.claim(topic, key)), body, AGE);
    const kinds = await Promise.all(keys.map(async (key) => (await one.claim(topic, key))?.kind));
    const left = kinds.filter((kind) => kind === "kept").length;
    assert.ok(left > 0 && left < 100, `${left} are left`);
  });
};
