import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type CallingOptions, ServiceBroker } from "moleculer";
import { type OtherNode, startOtherNode, until } from "../test/support/other-node.ts";
import type { Plan } from "../test/support/trips.service.ts";
import type { SagaState } from "./core/saga.ts";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-saga-"));
process.env.DATA_DIR = DATA_DIR;
const { default: trips } = await import("../test/support/trips.service.ts");
const broker = new ServiceBroker({ logger: false });
broker.createService(trips);
before(() => broker.start());
after(async () => {
  await broker.stop();
  rmSync(DATA_DIR, { recursive: true });
});

type Shown = Omit<SagaState, "input" | "results"> & { id: string; version: number };
const MODULE = "test/support/trips.service.ts";
const call = <T>(action: string, params: object, options?: CallingOptions) => broker.call<T, object>(`v1.trips.${action}`, params, options);
const make = async (id: string, plan: Plan = {}, patience?: number, options?: CallingOptions) =>
  (await call<{ status: string }>("make", { id, plan, ...(patience && { patience }) }, options)).status;
const words = async (id: string) => (await call<{ words: string[] }>("words", { id })).words;
const saga = (id: string) => call<Shown>("sagas.get", { id: `trip~${id}` });
/** The saga once it is so; at first the record may not have it. */
const once = (id: string, so: (saga: Shown) => boolean) =>
  until(async () => {
    const shown = await saga(id).catch(() => undefined);
    return shown && so(shown) && shown;
  });
const ended = (id: string) => once(id, ({ status }) => status === "completed" || status === "undone");
const COMPLETED = ["seat+", "room+", "pay+ seat 7", "print+"];

test("a saga does one step after another, and each finds what those before it left", async () => {
  assert.equal(await make("happy"), "completed");
  assert.deepEqual(await words("happy"), COMPLETED);
  const { done, undone, status, cancelled } = await saga("happy");
  assert.deepEqual(
    { done, undone, status, cancelled },
    { done: ["seat", "room", "pay", "print"], undone: [], status: "completed", cancelled: false },
  );
});

test("its steps are made in the name of who began it, in the course of his request, at the time that it happened", async () => {
  const meta = { user: { id: "anna", roles: [] }, occurredAt: Date.UTC(2011, 5, 1) };
  await make("named", {}, undefined, { meta, requestID: "req-5" });
  const { items } = await call<{ items: Record<string, unknown>[] }>("history", { id: "named" });
  for (const { by, request, occurredAt } of items) {
    assert.deepEqual({ by, request, occurredAt }, { by: "anna", request: "req-5", occurredAt: "2011-06-01T00:00:00.000Z" });
  }
  assert.deepEqual(
    items.map(({ cause }) => cause),
    [undefined, ...Array(4).fill("trip~named")],
  );
});

test("a step that is refused undoes it and all before it, the last one first, and the saga says why", async () => {
  assert.equal(await make("refused", { "room+": "refused" }), "undone");
  assert.deepEqual(await words("refused"), ["seat+", "room-", "seat-"]);
  const { reason, code, done, undone } = await saga("refused");
  assert.deepEqual(
    { reason, code, done, undone },
    { reason: "room+ is refused", code: "TRIP_REFUSED", done: ["seat"], undone: ["room", "seat"] },
  );
});

test("refused at the point of no return, it is undone as well", async () => {
  assert.equal(await make("unpaid", { "pay+": "refused" }), "undone");
  assert.deepEqual(await words("unpaid"), ["seat+", "room+", "room-", "seat-"]);
});

test("a step of which nobody hears what became of it is given up after some tries, and undone too", async () => {
  assert.equal(await make("unheard", { "seat+": "unheard" }), "undone");
  assert.deepEqual(await words("unheard"), ["seat+", "seat-"], "done once, however often it was tried");
});

test("what fails for a while is done in the end: before the point of no return, after it, and on the way back", async () => {
  assert.equal(await make("patient", { "room+": 3, "pay+": 3, "print+": 3 }, 30_000), "completed");
  assert.deepEqual(await words("patient"), COMPLETED);
  assert.equal(await make("wayback", { "room+": "refused", "room-": 2, "seat-": 2 }, 30_000), "undone");
  assert.deepEqual(await words("wayback"), ["seat+", "room-", "seat-"]);
});

test("past the point of no return even a refusal is only tried again; the saga shows where it is stuck, and a retry hurries it", async () => {
  assert.equal(await make("stuck", { "print+": 6 }, 1), "on its way");
  const { stuck, status } = await once("stuck", (shown) => shown.stuck !== undefined);
  assert.deepEqual([stuck, status], [{ step: "print", error: "print+ is down" }, "running"]);
  await assert.rejects(call("sagas.cancel", { id: "trip~stuck", reason: "too late" }), { type: "SAGA_NOT_CANCELLABLE", code: 409 });
  assert.equal((await call<Shown>("sagas.retry", { id: "trip~stuck" })).stuck?.step, "print");
  assert.equal((await ended("stuck")).stuck, undefined);
  assert.deepEqual(await words("stuck"), COMPLETED);
});

test("a room that does not answer here is no refusal: the saga waits for it", async () => {
  const { SagaRunner } = await import("./saga.runner.ts");
  const { openLeaseStore, openSagaStore } = await import("./storage/open.ts");
  const alone = new ServiceBroker({ logger: false, requestTimeout: 1_000 });
  await alone.start();
  const call = () => ({ action: "v1.nowhere.hold", params: {} });
  const steps = [{ name: "hold", do: call, undo: call, retry: 3 }];
  const [store, leases] = [openSagaStore("alone"), openLeaseStore("alone")];
  const runner = new SagaRunner([{ name: "wait", steps }], store, leases, alone, alone.logger);
  const running = runner.run("w1", "wait", {}, {});
  alone.createService({ name: "nowhere", version: 1, actions: { hold: () => ({}) } });
  assert.equal((await running)?.status, "completed");
  await runner.stop();
  await Promise.all([store.close(), leases.close()]);
  await alone.stop();
});

test("a saga that is cancelled in time is undone; cancelling it again is the same cancellation", async () => {
  assert.equal(await make("cancelled", { "room+": 1_000 }, 1), "on its way");
  await until(async () => (await words("cancelled")).length === 1);
  const { cancelled } = await call<Shown>("sagas.cancel", { id: "trip~cancelled", reason: "changed my mind" });
  assert.equal(cancelled, true);
  await call("sagas.cancel", { id: "trip~cancelled", reason: "again" });
  const { status, reason, code } = await ended("cancelled");
  assert.deepEqual([status, reason, code], ["undone", "changed my mind", "CANCELLED"]);
  assert.deepEqual(await words("cancelled"), ["seat+", "room-", "seat-"]);
});

test("a saga that has ended is not cancelled, and one that never was is not found", async () => {
  await make("over");
  await assert.rejects(call("sagas.cancel", { id: "trip~over", reason: "late" }), { type: "SAGA_NOT_CANCELLABLE" });
  for (const verb of ["get", "retry", "cancel"]) {
    await assert.rejects(call(`sagas.${verb}`, { id: "trip~never", reason: "r" }), { type: "SAGA_NOT_FOUND", code: 404 });
  }
});

test("asked for twice, a trip is made once", async () => {
  const both = await Promise.all([make("twice"), make("twice")]);
  assert.deepEqual(both, ["completed", "completed"]);
  assert.deepEqual(await words("twice"), COMPLETED);
  assert.equal(await make("twice"), "completed");
});

test("sagas are listed by how they stand, page by page", async () => {
  await Promise.all(["l1", "l2", "l3"].map((id) => make(id, { "seat+": "refused" })));
  type Page = { items: { id: string; saga: string; status: string; at: string }[] };
  const { items } = await call<Page>("sagas.list", { status: "undone", after: "trip~l", limit: 2 });
  assert.deepEqual(
    items.map(({ id, saga, status }) => [id, saga, status]),
    [
      ["trip~l1", "trip", "undone"],
      ["trip~l2", "trip", "undone"],
    ],
  );
  assert.ok(items.every(({ at }) => Date.parse(at) <= Date.now()));
});

test("a saga that only its event has begun is made all the same", async () => {
  await call("ask", { id: "asked", plan: {} });
  await until(async () => (await words("asked")).length === 4);
  assert.equal((await ended("asked")).status, "completed");
});

const wordsAt = async (node: OtherNode, id: string) => (await node.call<{ words: string[] }>("v1.trips.words", { id })).words;

test("whoever asks hears how a saga ended, though another process makes it", async (t) => {
  const other = await startOtherNode(t, DATA_DIR, MODULE);
  for (let n = 0; n < 5; n++) {
    assert.deepEqual(await other.call("v1.trips.make", { id: `elsewhere${n}`, plan: {} }), { status: "completed" });
    assert.deepEqual(await words(`elsewhere${n}`), COMPLETED);
  }
});

test("a process dies in the middle of its sagas: others bring each to its end, and no step is done twice", async (t) => {
  const dying = await startOtherNode(t, DATA_DIR, MODULE);
  const plans: [string, Plan, string[]][] = [
    ["dead-seat", { "seat+": "hangs" }, ["seat+?", ...COMPLETED]],
    ["dead-pay", { "pay+": "hangs" }, ["seat+", "room+", "pay+?", "pay+ seat 7", "print+"]],
    ["dead-undo", { "room+": "refused", "seat-": "hangs" }, ["seat+", "room-", "seat-?", "seat-"]],
  ];
  for (const [id, plan] of plans) void dying.call("v1.trips.make", { id, plan }).catch(() => {});
  for (const [id, , expected] of plans) {
    const hanging = expected.findIndex((word) => word.endsWith("?"));
    await until(async () => (await words(id)).length > hanging);
  }
  await dying.kill();
  for (const [id, plan, expected] of plans) {
    assert.equal((await ended(id)).status, "room+" in plan ? "undone" : "completed");
    assert.deepEqual(await words(id), expected);
  }
});

test("a process dies before it began what its event had begun: the saga is begun by another one", async (t) => {
  const dying = await startOtherNode(t, DATA_DIR, MODULE);
  const ids = Array.from({ length: 30 }, (_, n) => `unbegun${n}`);
  const asked = ids.map((id) => dying.call("v1.trips.ask", { id, plan: {} }).then(() => id));
  const first = await Promise.race(asked);
  await dying.kill();
  const said = await Promise.allSettled(asked);
  const there = said.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  assert.ok(there.includes(first));
  const heir = await startOtherNode(t, DATA_DIR, MODULE);
  for (const id of there) {
    await until(async () => (await wordsAt(heir, id)).length === 4);
    assert.deepEqual(await wordsAt(heir, id), COMPLETED);
  }
});
