import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { after, describe, test } from "node:test";
import type { AuditRow, Chained, Draft } from "../../mixins/storage/audit-store.ts";
import { useServers, without } from "../../test/support/cluster.ts";
import { chaining } from "./audit.chain.ts";
import { type Finding, Verifier } from "./audit.verify.ts";

describe("the trail on MongoDB", { skip: without("mongo") }, async () => {
  await useServers("mongo");
  const { MongoAuditStore, TRAIL } = await import("../../mixins/storage/mongo.audit-store.ts");
  const { MongoHost, rows } = await import("../../mixins/storage/mongo.host.ts");
  const { privateKey } = generateKeyPairSync("ed25519");
  const host = MongoHost.open();
  after(() => host.close());

  let made = 0;
  const setUp = () => {
    const room = `audit${++made}`;
    const store = new MongoAuditStore(room);
    after(() => store.close());
    const clock = { now: Date.parse("2026-11-27T12:00:00Z") };
    const chained = chaining({ kid: "ours", key: privateKey }, () => clock.now);
    return { store, clock, chained, bundles: rows(host.room(room), TRAIL) };
  };
  type Store = ReturnType<typeof setUp>["store"];
  const draft = (id: string, user = "ann"): Draft => ({
    id,
    at: 1,
    result: "accepted",
    room: "deals",
    action: "deals.X",
    user,
    resource: "deals/d-1",
  });
  const trail = async (store: Store, limit = 100): Promise<AuditRow[]> => {
    const all: AuditRow[] = [];
    for (;;) {
      const found = await store.rows(all.at(-1), limit);
      if (found.length === 0) return all;
      all.push(...found);
    }
  };
  const idsIn = (rows: AuditRow[]) => rows.map(({ body }) => JSON.parse(body).id as string);
  const verified = async (store: Store, limit?: number): Promise<string[]> => {
    const findings: Finding[] = [];
    const verifier = new Verifier({
      keys: new Map([["ours", createPublicKey(privateKey)]]),
      every: 1,
      found: (finding) => findings.push(finding),
    });
    for (const row of await trail(store, limit)) verifier.take(row);
    verifier.finish();
    return findings.map(({ day, n, fault }) => `${day}/${n} ${fault}`);
  };

  test("of two writers at midnight one does it again, though both have places on days of their own", async () => {
    const { store, clock, chained } = setUp();
    await store.write([draft("one")], chained);
    const midnight = Date.parse("2026-11-28T00:00:00Z");
    clock.now = midnight - 1;
    let chainings = 0;
    const ticking: Chained = (last, drafts) => {
      const rows = chained(last, drafts);
      if (++chainings === 1) clock.now = midnight;
      return rows;
    };
    await Promise.all([store.write([draft("two")], ticking), store.write([draft("three")], ticking)]);
    await store.write([draft("four")], ticking);
    assert.ok(chainings > 3, "one was chained again");
    assert.deepEqual(idsIn(await trail(store)).sort(), ["four", "one", "three", "two"]);
    assert.deepEqual(await verified(store), []);
    const other = setUp();
    other.clock.now = midnight - 1;
    const first: Chained = (last, drafts) => {
      const rows = other.chained(last, drafts);
      other.clock.now = midnight;
      return rows;
    };
    await Promise.all([other.store.write([draft("one")], first), other.store.write([draft("two")], first)]);
    assert.deepEqual(await verified(other.store), []);
  });

  test("whoever hides entries from searches, or says that later ones are there already, is found", async () => {
    const day = "2026-11-27";
    for (const change of [
      { $set: { users: [] } },
      { $set: { resources: ["deals/d-2"] } },
      { $push: { ids: "four" } },
      { $set: { ids: [] } },
      { $set: { last: 2 } },
      { $set: { prev: "x" } },
      { $unset: { prev: 1 } },
      { $set: { more: 1 } },
      { $set: { "entries.0.n": 9 } },
    ]) {
      const { store, chained, bundles } = setUp();
      await store.write([draft("one")], chained);
      await store.write([draft("two"), draft("three", "eve")], chained);
      assert.deepEqual(await verified(store), []);
      await bundles.updateOne({ _id: `${day}/000000000002` }, change as never);
      assert.deepEqual(await verified(store), [`${day}/2 misfiled`], JSON.stringify(change));
      assert.deepEqual(await verified(store, 2), [`${day}/2 misfiled`]);
      await store.write([draft("four", "eve")], chained);
      assert.equal(idsIn(await trail(store)).at(-1), "four");
    }
  });

  test("a document that is no bundle hides nothing that stands behind it, and is found", async () => {
    const { store, clock, chained, bundles } = setUp();
    await store.write([draft("one")], chained);
    clock.now += 86_400_000;
    await store.write([draft("two")], chained);
    assert.deepEqual(await verified(store), []);
    const empty = Array.from({ length: 60 }, (_, i) => ({ _id: `2026-11-27/1${i}`, prev: `empty ${i}`, entries: [], ids: ["three"] }));
    const odd = ["", "!", "2026", "2026-11-27/000000000001x"].map((_id) => ({ _id, prev: `odd ${_id}`, entries: "none", ids: [] }));
    for (const documents of [odd, empty]) {
      await bundles.deleteMany({ prev: /odd|empty/ } as never);
      await bundles.insertMany(documents as never);
      for (const limit of [8, 1_000]) {
        const findings = await verified(store, limit);
        assert.ok(findings.filter((finding) => finding.endsWith("misfiled")).length > 0, String(findings));
        assert.ok(documents === odd || (await trail(store, limit)).some(({ body }) => body.includes('"id":"two"')));
      }
    }
    await store.write([draft("three")], chained);
    assert.ok((await trail(store)).some(({ body }) => body.includes('"id":"three"')));
  });
});
