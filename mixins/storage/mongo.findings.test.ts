import assert from "node:assert/strict";
import { test } from "node:test";
import { Examination } from "../runtime/examination.ts";
import { judgeMongo, type MongoFacts } from "./mongo.findings.ts";

const member = (name: string, state: number) => ({ name, state });
const three = ["a:1", "b:1", "c:1"];

/** What MongoDB 8 says as the primary of a set of three, as far as anybody asks. */
const whole: MongoFacts = {
  hello: { maxWireVersion: 25, setName: "rs0", hosts: three },
  build: { version: "8.0.4", storageEngines: ["devnull", "wiredTiger"] },
  set: { members: [member("a:1", 1), member("b:1", 2), member("c:1", 2)] },
  defaults: { defaultWriteConcern: { w: "majority", wtimeout: 0 } },
  status: { storageEngine: { name: "wiredTiger", persistent: true } },
  options: { parsed: { storage: { dbPath: "/data/db" } } },
};

const judge = (facts: Partial<MongoFacts> = {}) => {
  const mongo = new Examination("mongodb");
  judgeMongo(mongo, "mongodb://a:1", { ...whole, ...facts });
  return mongo.findings.map(({ level, says }) => `${level}: ${says}`);
};
const complaints = (facts: Partial<MongoFacts>) => judge(facts).filter((line) => !line.startsWith("ok"));

test("a replica set of three that keeps a journal is as it should be", () => {
  assert.deepEqual(judge(), [
    "ok: 8.0.4 (wire 25) at mongodb://a:1",
    "ok: replica set rs0 of 3",
    "ok: every write asks for w: majority and the journal; the server's own default, w: majority, does not matter",
    "ok: storage engine wiredTiger",
  ]);
});

test("where a write stands on fewer disks than it may seem, or on none, it is said", () => {
  const cases: [Partial<MongoFacts>, RegExp][] = [
    [{ hello: { maxWireVersion: 25 } }, /^warn: a standalone server/],
    [
      { hello: { maxWireVersion: 25, setName: "rs0", hosts: ["a:1"] }, set: undefined },
      /^warn: replica set rs0 of 1: it stands on one disk/,
    ],
    [{ set: { members: [member("a:1", 1), member("b:1", 8), member("c:1", 2)] } }, /^warn: .*away or not in step: b:1/],
    [{ set: { members: [member("a:1", 1), member("b:1", 2), member("c:1", 7)] } }, /^warn: .*only votes/],
    [{ status: { storageEngine: { name: "inMemory", persistent: false } } }, /^wrong: .*inMemory keeps nothing/],
    [{ options: { parsed: { storage: { journal: { enabled: false } } } } }, /^wrong: journaling is off/],
    [{ build: { version: "6.0.20", storageEngines: [] } }, /^warn: 6\.0\.20 .*before 7\.0/],
  ];
  for (const [facts, complaint] of cases) {
    const [said = "", ...more] = complaints(facts);
    assert.match(said, complaint);
    assert.deepEqual(more, []);
  }
});

test("a router of shards is no standalone server, and one that only speaks the protocol is told as such", () => {
  assert.deepEqual(complaints({ hello: { msg: "isdbgrid", maxWireVersion: 25 } }), []);
  assert.match(
    judge({ build: { version: "7.0.42", ferretdb: { version: "v2.1.0" }, storageEngines: [] } })[0]!,
    /^ok: .*speaks its protocol/,
  );
  assert.match(judge({ build: undefined })[0]!, /^ok: of unknown version .*speaks its protocol/);
});
