import type { Model } from "./model.ts";

/** A call that a saga makes. */
export interface SagaCall {
  readonly action: string;
  readonly params: object;
}

/** What the steps before have left for those after. */
export type Results = Readonly<Record<string, unknown>>;

/**
 * A row of a saga's table. Steps that can be undone come first. The first that cannot is the point of no return: while
 * it is refused the saga can still be undone; once it is done, all that follows is retried until it is done as well.
 */
export interface Step<I> {
  readonly name: string;
  /** None where this saga has nothing to do here. */
  readonly do?: (input: I, results: Results) => SagaCall;
  /** Makes undone what the step did, or may have done: it must bear finding nothing. */
  readonly undo?: (input: I, reason: string, code: string) => SagaCall;
  /** What of the answer the later steps need; it goes into the saga's record. */
  readonly keep?: (answer: never) => unknown;
  /** Milliseconds that one try may take; 5,000 where nothing is said. */
  readonly timeout?: number;
  /** Tries until an undoable step is given up, where it fails without being refused; 5 where nothing is said. */
  readonly retry?: number;
}

export interface Saga<I> {
  readonly name: string;
  readonly steps: readonly Step<I>[];
}

export type SagaEvent =
  | { type: "SagaStarted"; saga: string; input: object; owner: string }
  | { type: "SagaTaken"; owner: string }
  | { type: "StepDone"; step: string; result?: unknown }
  | { type: "SagaCancelled"; reason: string }
  | { type: "StepStuck"; step: string; error: string }
  | { type: "UndoBegun"; reason: string; code: string }
  | { type: "StepUndone"; step: string }
  | { type: "SagaEnded"; outcome: "completed" | "undone" };

export interface SagaState {
  readonly status: "none" | "running" | "undoing" | "completed" | "undone";
  readonly saga: string;
  readonly input: object;
  readonly owner: string;
  readonly done: readonly string[];
  readonly undone: readonly string[];
  readonly results: Results;
  /** Why it is undone, or is to be. */
  readonly reason?: string;
  readonly code?: string;
  readonly cancelled: boolean;
  /** The step that has failed again and again, and how. */
  readonly stuck?: { step: string; error: string };
}

export const sagaModel: Model<SagaState, SagaEvent> = {
  initial: { status: "none", saga: "", input: {}, owner: "", done: [], undone: [], results: {}, cancelled: false },
  evolve(state, event) {
    switch (event.type) {
      case "SagaStarted":
        return { ...state, status: "running", saga: event.saga, input: event.input, owner: event.owner };
      case "SagaTaken":
        return { ...state, owner: event.owner };
      case "StepDone":
        return {
          ...state,
          done: [...state.done, event.step],
          results: event.result === undefined ? state.results : { ...state.results, [event.step]: event.result },
          stuck: undefined,
        };
      case "SagaCancelled":
        return { ...state, cancelled: true, reason: event.reason };
      case "StepStuck":
        return { ...state, stuck: { step: event.step, error: event.error } };
      case "UndoBegun":
        return { ...state, status: "undoing", reason: event.reason, code: event.code };
      case "StepUndone":
        return { ...state, undone: [...state.undone, event.step], stuck: undefined };
      case "SagaEnded":
        return { ...state, status: event.outcome, stuck: undefined };
    }
  },
};

/** Whether the saga can still be undone: no step that cannot be has been done. */
export const undoable = (saga: Saga<never>, { done }: SagaState): boolean =>
  saga.steps.every((step) => step.undo || !done.includes(step.name));

/**
 * Whether a cancellation may still stop the saga: not once its next step is the point of no return, for that may be
 * under way. What is cancelled later must be refused by that step itself.
 */
export const cancellable = (saga: Saga<never>, state: SagaState): boolean =>
  state.status === "running" && nextStep(saga, state)?.undo !== undefined;

/**
 * What is to be done next, or undone; undefined at the end. An undo begins with the step that was under way, for its
 * outcome may be unknown. A step that does nothing is only there to be undone.
 */
export const nextStep = (saga: Saga<never>, state: SagaState): Step<never> | undefined => {
  const ahead = saga.steps.findIndex((step) => step.do && !state.done.includes(step.name));
  if (state.status !== "undoing") return saga.steps[ahead];
  const reached = ahead < 0 ? [...saga.steps] : saga.steps.slice(0, ahead + 1);
  return reached.reverse().find((step) => step.undo && !state.undone.includes(step.name));
};
