import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import type { Move } from "./sqlite.links.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-links-"));
process.env.DATA_DIR = DATA_DIR;
const { SqliteFile } = await import("./sqlite.file.ts");
const { SqliteLinks } = await import("./sqlite.links.ts");
after(() => rmSync(DATA_DIR, { recursive: true }));

type Tagged = { tags: string[] };

const open = (name: string) => {
  const file = SqliteFile.open(name);
  const links = new SqliteLinks<Tagged>(file, "tags", "tag", ({ tags }) => tags);
  const found = file.db.prepare(`SELECT place FROM tags WHERE value = ${links.numberOf("?")} ORDER BY ord, place`);
  return {
    file,
    store: (...moves: Move<Tagged>[]) => file.write(() => links.store(moves)),
    placesOf: (tag: string) => found.all(tag).map(({ place }) => place),
  };
};

const added = (place: number, tags: string[], order = "o"): Move<Tagged> => ({
  place,
  before: undefined,
  orderBefore: "",
  document: { tags },
  order,
});

test("documents are found by each of their values, in the order that they have, also after they have changed", async () => {
  const { file, store, placesOf } = open("found");
  await store(added(2, ["oak", "elm"], "b"), added(1, ["elm"], "b"), added(3, ["elm", "elm"], "a"));
  assert.deepEqual([placesOf("elm"), placesOf("oak"), placesOf("ash")], [[3, 1, 2], [2], []]);
  await store({ place: 2, before: { tags: ["oak", "elm"] }, orderBefore: "b", document: { tags: ["oak", "ash"] }, order: "b" });
  await store({ place: 1, before: { tags: ["elm"] }, orderBefore: "b", document: { tags: ["elm"] }, order: "0" });
  await store({ place: 3, before: { tags: ["elm"] }, orderBefore: "a", document: undefined, order: "" });
  assert.deepEqual([placesOf("elm"), placesOf("oak"), placesOf("ash")], [[1], [2], [2]]);
  const many = Array.from({ length: 2_000 }, (_, n) => `tag-${n}`);
  await store(added(4, many));
  assert.ok([0, 63, 64, 1_999].every((n) => placesOf(`tag-${n}`)[0] === 4));
  await file.close();
});

test("the numbers of values are those that the tables have, also when another process has made them anew", async () => {
  const { file, store, placesOf } = open("anew");
  for (const place of [1, 2]) await store(added(place, ["oak", "elm"]));
  const other = new DatabaseSync(join(DATA_DIR, "anew.db"));
  other.exec("DELETE FROM tags; DELETE FROM tags_values; INSERT INTO tags_values VALUES (1, 'elm'), (2, 'oak')");
  other.close();
  await store(added(3, ["oak"]));
  assert.deepEqual([placesOf("oak"), placesOf("elm")], [[3], []]);
  await file.close();
});

test("what a transaction that came to nothing has numbered is not remembered", async () => {
  const { file, store, placesOf } = open("nothing");
  const links = new SqliteLinks<Tagged>(file, "tags", "tag", ({ tags }) => tags);
  const lost = file.write(() => {
    links.store([added(1, ["oak"])]);
    throw new Error("no");
  });
  await assert.rejects(lost, /no/);
  await store(added(2, ["elm"]));
  await file.write(() => links.store([added(3, ["oak"])]));
  assert.deepEqual([placesOf("oak"), placesOf("elm")], [[3], [2]]);
  await file.close();
});
