import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../test/support/other-node.ts";
import { settle } from "../test/support/setting.ts";
import { folder, HOUSE } from "../test/support/system.ts";
import type { SchemaStep } from "./storage/schema-store.ts";

settle();
const { bringUp, changeDocuments } = await import("./schema.ts");
const { openCursorStore, openSchemaStore, openViewFile } = await import("./storage/open.ts");

/** Starts nodes of a room in processes of their own. */
const nodes = (t: TestContext, room: string) => {
  const dir = folder(t);
  const [journal, hold] = [join(dir, "journal"), join(dir, "hold")];
  return {
    hold,
    start: () => {
      const child = spawn(process.execPath, ["test/support/schema.process.ts", room, journal, hold], { cwd: HOUSE, stdio: "inherit" });
      t.after(() => child.kill("SIGKILL"));
      return { child, ended: once(child, "exit") as Promise<[number | null]> };
    },
    lines: () => (existsSync(journal) ? readFileSync(journal, "utf8").trim().split("\n") : []),
  };
};

const step = (number: number, kind: SchemaStep["kind"], more: Partial<SchemaStep> = {}): SchemaStep => ({
  ...{ number, kind, says: `step ${number}`, run: async () => {} },
  ...more,
});

test("of several nodes that start at once, one takes the steps, each once and in order, and all wait for it", async (t) => {
  const { start, lines } = nodes(t, "together");
  const codes = await Promise.all([start(), start(), start()].map(({ ended }) => ended));
  assert.deepEqual(
    codes.flat().filter((code) => code !== null),
    [0, 0, 0],
  );
  assert.deepEqual(lines(), ["1", "2 begins", "2", "3"]);
  const again = await start().ended;
  assert.deepEqual([again[0], lines().length], [0, 4], "what has run does not run again");
});

test("a step whose node is killed is begun again by another, and those before it are not", async (t) => {
  const { start, lines, hold } = nodes(t, "killed");
  writeFileSync(hold, "");
  const first = start();
  await until(() => lines().includes("2 begins"));
  first.child.kill("SIGKILL");
  await first.ended;
  rmSync(hold);
  assert.equal((await start().ended)[0], 0);
  assert.deepEqual(lines(), ["1", "2 begins", "2 begins", "2", "3"]);
});

test("a node that needs what a newer version took away does not start, one that does without it does", async () => {
  const [one, two, three] = [step(1, "expand"), step(2, "contract", { since: 1 }), step(3, "contract", { says: "drops the old" })];
  await bringUp("aged", [one]);
  await bringUp("aged", [one, two]);
  await bringUp("aged", [one]);
  await assert.rejects(bringUp("aged", []), /^Error: aged: step 2 of a newer version .* it knows steps to 0: start a newer one$/);
  await bringUp("aged", [one, two, three]);
  await assert.rejects(bringUp("aged", [one, two]), /step 3 of a newer version \(drops the old\) has taken away/);
  await assert.rejects(bringUp("misnumbered", [step(2, "expand")]), /numbered 1, 2, 3/);
});

test("a step that fails stops the start, and runs again the next time", async () => {
  let runs = 0;
  const failing = step(1, "expand", {
    run: async () => {
      if (++runs === 1) throw new Error("no");
    },
  });
  await assert.rejects(bringUp("failing", [failing]), /no/);
  await bringUp("failing", [failing]);
  await bringUp("failing", [failing]);
  assert.equal(runs, 2);
});

test("what a view kept under an older number goes, in all of its generations, and no other view's", async () => {
  const views = openViewFile("viewed");
  const cursors = openCursorStore("viewed");
  const spec = { columns: { word: ({ word }: { word: string }) => word }, order: "word" };
  const put = async (name: string, number: number, generation: number) => {
    const store = views.open({ ...spec, name, number }, generation);
    await store.put([{ id: "a", version: 1, document: { word: name }, before: undefined, place: 1, added: true }]);
    await cursors.advance(`view/${name}/${generation}`, "source", "", "1", { park: [], unpark: [] }, () => {});
  };
  const kept = async (name: string, generation: number) => ({
    lines: (await Array.fromAsync(views.open({ ...spec, name, number: 1 }, generation).dump())).length,
    cursor: await cursors.cursor(`view/${name}/${generation}`, "source"),
  });
  for (const [name, generation] of [
    ["list_1", 1],
    ["list_1", 2],
    ["list_2", 1],
    ["list_11", 1],
  ] as const)
    await put(name, 1, generation);
  await views.serve("list_1", 2, 1);
  const drop = step(1, "contract", { run: (room) => room.dropView("list", 1) });
  await bringUp("viewed", [drop]);
  assert.equal(await views.serving("list_1"), undefined);
  const gone = await Promise.all([kept("list_1", 1), kept("list_1", 2)]);
  assert.deepEqual(gone, [
    { lines: 0, cursor: "" },
    { lines: 0, cursor: "" },
  ]);
  const others = await Promise.all([kept("list_2", 1), kept("list_11", 1)]);
  assert.deepEqual(others, [
    { lines: 1, cursor: "1" },
    { lines: 1, cursor: "1" },
  ]);
  await Promise.all([views.close(), cursors.close()]);
});

test("documents get a field each once, as changes that followers hear of; what was removed stays so", async () => {
  const store = openSchemaStore("cards");
  const documents = store.documents();
  const change = { id: "c", type: "CardSaved", at: 1, occurredAt: 1 };
  for (const id of ["a", "b", "gone"]) await documents.write(() => documents.put({ _id: id, name: id }, { ...change, id }));
  await documents.write(() => documents.remove("gone", { ...change, id: "r", type: "CardRemoved" }));
  const add = step(1, "expand", {
    run: async (room) => {
      for (const _twice of [1, 2]) await changeDocuments(room, (card) => (card.shown ? undefined : { ...card, shown: "yes" }));
    },
  });
  await bringUp("cards", [add]);
  const { commits } = await documents.record("", 10);
  const found = commits.map(({ stream, version, events }) => [stream, version, events[0]!.type, events[0]!.document?.shown]).sort();
  assert.deepEqual(found, [
    ["a", 2, "CardSaved", "yes"],
    ["b", 2, "CardSaved", "yes"],
    ["gone", 2, "CardRemoved", undefined],
  ]);
  await store.close();
});
