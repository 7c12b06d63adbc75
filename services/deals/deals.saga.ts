import type { Saga, Step } from "../../mixins/core/saga.ts";
import type { DealEvent } from "./deals.events.ts";

interface Confirming {
  id: string;
  attempt: number;
}

interface Costs {
  costs: Record<string, string>;
}

const keepCosts = ({ costs }: Costs) => costs;

/** What can be undone comes first: while nothing is confirmed, a cancellation or a shortage gives everything back. */
const confirming: Step<Confirming>[] = [
  { name: "deal", undo: (input, reason, code) => ({ action: "v1.deals.reopen", params: { ...input, reason, code } }) },
  {
    name: "stock",
    do: (input) => ({ action: "v1.deals.reserveStock", params: input }),
    undo: (input) => ({ action: "v1.deals.releaseStock", params: input }),
    keep: keepCosts,
  },
  { name: "confirmed", do: (input, { stock }) => ({ action: "v1.deals.recordConfirmed", params: { ...input, costs: stock ?? {} } }) },
];

const fulfilling: Step<{ id: string }>[] = [
  { name: "issue", do: ({ id }) => ({ action: "v1.deals.issueStock", params: { id } }), keep: keepCosts },
  { name: "fulfilled", do: ({ id }, { issue }) => ({ action: "v1.deals.recordFulfilled", params: { id, costs: issue ?? {} } }) },
];

const cancelling: Step<Confirming>[] = [
  { name: "release", do: (input) => ({ action: "v1.deals.releaseStock", params: input }) },
  { name: "cancelled", do: ({ id }) => ({ action: "v1.deals.recordCancelled", params: { id } }) },
];

const returning: Step<{ id: string; return: string }>[] = [
  { name: "stock", do: (input) => ({ action: "v1.deals.takeBackStock", params: input }) },
  { name: "received", do: (input) => ({ action: "v1.deals.recordReturned", params: input }) },
];

export const dealSagas = [
  { name: "confirm", steps: confirming },
  { name: "fulfil", steps: fulfilling },
  { name: "cancel", steps: cancelling },
  { name: "return", steps: returning },
] as unknown as Saga<never>[];

/** Which of a deal's events begin a saga. A cancellation begins one only where the deal was confirmed already. */
export const begins = (event: DealEvent, id: string) => {
  switch (event.type) {
    case "ConfirmationStarted":
      return confirmation(id, event.attempt);
    case "FulfilmentStarted":
      return fulfilment(id);
    case "CancellationRequested":
      return event.attempt === undefined ? undefined : cancellation(id, event.attempt);
    case "LinesReturned":
    case "ReturnBooked":
      return takingBack(id, event.id);
  }
};

export const confirmation = (id: string, attempt: number) => ({ id: `confirm~${id}~${attempt}`, saga: "confirm", input: { id, attempt } });

export const fulfilment = (id: string) => ({ id: `fulfil~${id}`, saga: "fulfil", input: { id } });

export const cancellation = (id: string, attempt: number) => ({ id: `cancel~${id}`, saga: "cancel", input: { id, attempt } });

export const takingBack = (id: string, back: string) => ({ id: `return~${id}~${back}`, saga: "return", input: { id, return: back } });
