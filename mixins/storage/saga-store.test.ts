import assert from "node:assert/strict";
import { after, test } from "node:test";
import { next } from "../../test/support/event-store.contract.ts";
import { settle } from "../../test/support/setting.ts";
import type { SagaEvent } from "../core/saga.ts";
import type { Commit } from "./event-store.ts";

settle();
const { openSagaStore } = await import("./open.ts");
const sagas = openSagaStore("room");
after(() => sagas.close());

const commit = (id: string, before?: Commit): Commit<SagaEvent> => next(id, before) as Commit<SagaEvent>;
const row = (id: string, status: string) => ({ id, saga: "confirm", status, owner: "me", at: 1 });
const ids = async (status: string, after = "", limit = 100) => (await sagas.list(status, after, limit)).map(({ id }) => id);

test("a saga's place in the lists moves with its record: both are stored, or neither is", async () => {
  const first = commit("moves");
  await sagas.append(first, row("moves", "running"));
  assert.deepEqual({ ...(await sagas.list("running", "", 10))[0] }, row("moves", "running"));
  await assert.rejects(sagas.append(commit("moves"), row("moves", "completed")), { type: "VERSION_CONFLICT" });
  assert.deepEqual([await ids("running"), await ids("completed")], [["moves"], []]);
  const second = commit("moves", first);
  await sagas.append(second);
  assert.deepEqual(await ids("running"), ["moves"], "and stays where nothing is said of it");
  await sagas.append(commit("moves", second), row("moves", "completed"));
  assert.deepEqual([await ids("running"), await ids("completed")], [[], ["moves"]]);
  assert.equal((await sagas.read("moves")).length, 3);
});

test("a list goes through all sagas of a status in the order of their ids, page by page", async () => {
  const all = Array.from({ length: 25 }, (_, n) => `saga${String(n).padStart(2, "0")}`);
  await Promise.all(all.toReversed().map((id) => sagas.append(commit(id), row(id, "undoing"))));
  const seen: string[] = [];
  for (let page = await ids("undoing", "", 10); page.length > 0; page = await ids("undoing", page.at(-1), 10)) seen.push(...page);
  assert.deepEqual(seen, all);
});
