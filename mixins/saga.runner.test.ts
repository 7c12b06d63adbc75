import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../test/support/setting.ts";

settle();
const { ServiceBroker } = await import("moleculer");
const { me } = await import("./runtime/lease.ts");
const { SagaRunner } = await import("./saga.runner.ts");

type Store = import("./storage/saga-store.ts").SagaStore;
type Row = import("./storage/saga-store.ts").SagaRow;

const begun = (id: string, owner: string) => ({
  ...{ id: `${id}-1`, stream: id, version: 1, at: 0, occurredAt: 0 },
  events: [{ type: "SagaStarted", saga: "trip", input: {}, owner } as const],
});

const runnerOn = (store: Partial<Store>) => {
  const broker = new ServiceBroker({ logger: false });
  const leases = {
    take: async () => true,
    leave: async () => {},
    alive: async (owners: string[]) => new Set(owners),
    close: async () => {},
  };
  const stuck = { name: "trip", steps: [{ name: "never", do: () => ({ action: "v1.nobody.does", params: {} }) }] };
  return new SagaRunner([stuck] as never, store as Store, leases, broker, broker.logger);
};

test("a saga that is shown as one process's and is another's by the record is shown as it is, for else nobody would take it over", async () => {
  const corrected: Row[] = [];
  const runner = runnerOn({
    list: async (status, after) => (status === "running" && after === "" ? [{ id: "t", saga: "trip", status, owner: me, at: 0 }] : []),
    read: async () => [begun("t", "another")],
    correct: async (row) => void corrected.push(row),
  });
  await runner.takeOver();
  await runner.stop();
  assert.deepEqual(
    corrected.map(({ id, owner }) => [id, owner]),
    [["t", "another"]],
  );
});

test("what began a saga is passed only when the record has the saga, also while as many run as may", async () => {
  const appended: string[] = [];
  const runner = runnerOn({ read: async () => [], append: async ({ stream }) => void appended.push(stream) });
  const many = Array.from({ length: 1_001 }, (_, n) => `t-${n}`);
  let passed = 0;
  const ensured = many.map((id) => runner.ensure(id, "trip", {}, {}).then(() => passed++));
  await Promise.all(ensured.slice(0, 1_000));
  assert.deepEqual([passed, new Set(appended).size], [1_000, 1_000]);
  const last = assert.rejects(ensured[1_000]!);
  await runner.stop();
  await last;
  assert.equal(passed, 1_000);
});
