import assert from "node:assert/strict";
import { test } from "node:test";
import { cancellable, nextStep, type Saga, type SagaEvent, sagaModel, undoable } from "./saga.ts";

const call = () => ({ action: "v1.any.thing", params: {} });

/** Hold a seat and a room, pay, print: paying is the point of no return. */
const trip: Saga<never> = {
  name: "trip",
  steps: [
    { name: "seat", do: call, undo: call },
    { name: "room", do: call, undo: call },
    { name: "pay", do: call },
    { name: "print", do: call },
  ],
};
/** A step that has nothing to do, but something to undo; and one that undoes nothing before one that does. */
const odd: Saga<never> = {
  name: "odd",
  steps: [
    { name: "mark", undo: call },
    { name: "look", do: call },
    { name: "last", do: call },
  ],
};

const started: SagaEvent = { type: "SagaStarted", saga: "trip", input: { a: 1 }, owner: "me" };
const done = (step: string, result?: unknown): SagaEvent => ({ type: "StepDone", step, ...(result !== undefined && { result }) });
const undone = (step: string): SagaEvent => ({ type: "StepUndone", step });
const undo: SagaEvent = { type: "UndoBegun", reason: "no room", code: "FULL" };
const after = (...events: SagaEvent[]) => events.reduce(sagaModel.evolve, sagaModel.initial);

for (const [what, saga, events, next, mayUndo, mayCancel] of [
  ["begins with its first step", trip, [started], "seat", true, true],
  ["goes on with the second", trip, [started, done("seat")], "room", true, true],
  ["comes to the point of no return, which may be under way", trip, [started, done("seat"), done("room")], "pay", true, false],
  ["cannot be undone past it", trip, [started, done("seat"), done("room"), done("pay")], "print", false, false],
  ["has nothing left to do", trip, [started, done("seat"), done("room"), done("pay"), done("print")], undefined, false, false],
  ["undoes first what was under way", trip, [started, done("seat"), undo], "room", true, false],
  ["undoes nothing that it did not reach", trip, [started, undo], "seat", true, false],
  ["undoes in the reverse order", trip, [started, done("seat"), undo, undone("room")], "seat", true, false],
  ["refused at the point of no return, undoes all before it", trip, [started, done("seat"), done("room"), undo], "room", true, false],
  ["is undone", trip, [started, done("seat"), undo, undone("room"), undone("seat")], undefined, true, false],
  ["passes over a step that has nothing to do", odd, [started], "look", true, false],
  ["undoes it all the same", odd, [started, undo], "mark", true, false],
  ["stays stuck where it is", trip, [started, { type: "StepStuck", step: "seat", error: "down" }], "seat", true, true],
] as [string, Saga<never>, SagaEvent[], string | undefined, boolean, boolean][]) {
  test(`a saga ${what}`, () => {
    const state = after(...events);
    assert.deepEqual(
      { next: nextStep(saga, state)?.name, undoable: undoable(saga, state), cancellable: cancellable(saga, state) },
      { next, undoable: mayUndo, cancellable: mayCancel },
    );
  });
}

test("a saga's record says who works on it, what was kept, why it is undone and where it is stuck", () => {
  const running = after(
    started,
    done("seat", { number: 7 }),
    { type: "StepStuck", step: "room", error: "down" },
    { type: "SagaTaken", owner: "you" },
  );
  assert.deepEqual(running, {
    ...{ status: "running", saga: "trip", input: { a: 1 }, owner: "you", done: ["seat"], undone: [], cancelled: false },
    ...{ results: { seat: { number: 7 } }, stuck: { step: "room", error: "down" } },
  });
  assert.equal(after(started, { type: "StepStuck", step: "seat", error: "down" }, done("seat")).stuck, undefined);
  const cancelled = after(started, { type: "SagaCancelled", reason: "changed my mind" });
  assert.deepEqual([cancelled.status, cancelled.cancelled, cancelled.reason], ["running", true, "changed my mind"]);
  const ended = after(started, undo, undone("seat"), { type: "SagaEnded", outcome: "undone" });
  assert.deepEqual([ended.status, ended.reason, ended.code, ended.stuck], ["undone", "no room", "FULL", undefined]);
});
