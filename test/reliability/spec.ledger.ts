import type { Attempt } from "./journal.ts";
import type { Call, Spec } from "./linearizable.ts";

/** A stock as whoever reads the API's documentation would have it, apart from the room's own rules. Quantities are quarters, which numbers hold exactly. */
export interface Stock {
  readonly onHand: number;
  /** What each reservation still holds, and what became of those that hold nothing any more. */
  readonly held: ReadonlyMap<string, number>;
  readonly settled: ReadonlyMap<string, "released" | "issued">;
  /** Ids of movements that have been made. */
  readonly moved: ReadonlySet<string>;
}

export type Input =
  | { readonly do: "receive" | "writeOff"; readonly id: string; readonly quantity: number }
  | { readonly do: "reserve"; readonly id: string; readonly quantity: number }
  | { readonly do: "release"; readonly id: string }
  | { readonly do: "pick"; readonly id: string; readonly quantity?: number; readonly pick?: string }
  | { readonly do: "read" };

/** What it was told: figures, "done", or the code of the refusal. */
export type Output = string | { readonly onHand: number; readonly reserved: number };

/** How it stands after the input, and what it answers. */
type Next = readonly [after: Stock, output: Output];

const EMPTY: Stock = { onHand: 0, held: new Map(), settled: new Map(), moved: new Set() };

export const ledgerSpec: Spec<Stock, Input, Output> = {
  initial: EMPTY,
  step(stock, input, output) {
    const [after, answer] = next(stock, input);
    if (output === undefined) return after;
    if (typeof answer === "string" || typeof output === "string") return answer === output ? after : undefined;
    return answer.onHand === output.onHand && answer.reserved === output.reserved ? after : undefined;
  },
  key: ({ onHand, held, settled, moved }) =>
    [onHand, ...[...held, ...settled].map(([id, value]) => `${id}=${value}`).sort(), "|", ...[...moved].sort()].join(" "),
};

const reservedOf = ({ held }: Stock) => held.values().reduce((sum, quantity) => sum + quantity, 0);
const isNew = ({ onHand, held, settled, moved }: Stock) => onHand === 0 && held.size + settled.size + moved.size === 0;

const next = (stock: Stock, input: Input): Next => {
  const free = stock.onHand - reservedOf(stock);
  switch (input.do) {
    case "read":
      return [stock, isNew(stock) ? "STOCK_NOT_FOUND" : { onHand: stock.onHand, reserved: reservedOf(stock) }];
    case "receive":
    case "writeOff": {
      const { id, quantity } = input;
      if (stock.moved.has(id)) return [stock, "done"];
      if (input.do === "writeOff" && quantity > free) return [stock, "STOCK_SHORT"];
      const onHand = stock.onHand + (input.do === "receive" ? quantity : -quantity);
      return [{ ...stock, onHand, moved: new Set(stock.moved).add(id) }, "done"];
    }
    case "reserve": {
      const { id, quantity } = input;
      const before = stock.settled.get(id);
      if (stock.held.has(id) || before === "issued") return [stock, "done"];
      if (before) return [stock, "RESERVATION_RELEASED"];
      if (quantity > free) return [stock, "STOCK_SHORT"];
      return [{ ...stock, held: new Map(stock.held).set(id, quantity) }, "done"];
    }
    case "release": {
      const before = stock.settled.get(input.id);
      if (before === "issued") return [stock, "RESERVATION_ISSUED"];
      return [before ? stock : settle(stock, input.id, "released"), "done"];
    }
    case "pick":
      return picked(stock, input);
  }
};

const settle = (stock: Stock, id: string, how: "released" | "issued"): Stock => {
  const held = new Map(stock.held);
  held.delete(id);
  return { ...stock, held, settled: new Map(stock.settled).set(id, how) };
};

const picked = (stock: Stock, { id, quantity, pick }: Input & { do: "pick" }): Next => {
  if (pick !== undefined && stock.moved.has(pick)) return [stock, "done"];
  const left = stock.held.get(id);
  if (left === undefined) {
    const before = stock.settled.get(id);
    if (before === "issued") return [stock, pick === undefined ? "done" : "RESERVATION_ISSUED"];
    return [stock, before ? "RESERVATION_RELEASED" : "RESERVATION_NOT_FOUND"];
  }
  const wanted = quantity ?? left;
  if (wanted > left) return [stock, "PICK_TOO_LARGE"];
  const moved = pick === undefined ? stock.moved : new Set(stock.moved).add(pick);
  const after = { ...stock, onHand: stock.onHand - wanted, moved };
  if (wanted === left) return [settle(after, id, "issued"), "done"];
  return [{ ...after, held: new Map(stock.held).set(id, left - wanted) }, "done"];
};

/** An attempt as a call on the stock; nothing where it was a read that got no answer. */
export const callOf = ({ op, outcome, code, answer, began, ended }: Attempt): Call<Input, Output> | undefined => {
  const input = inputOf(op);
  if (outcome === "doubt") return input.do === "read" ? undefined : { input, began, ended };
  const figures = () => ({ onHand: Number(answer.onHand), reserved: Number(answer.reserved) });
  const output = outcome === "refused" ? code! : input.do === "read" ? figures() : "done";
  return { input, output, began, ended };
};

const inputOf = ({ kind, path, body }: Attempt["op"]): Input => {
  const { id, quantity, pick } = (body ?? {}) as { id?: string; quantity?: string; pick?: string };
  const amount = quantity === undefined ? undefined : Number(quantity);
  switch (kind) {
    case "receive":
    case "writeOff":
    case "reserve":
      return { do: kind, id: id!, quantity: amount! };
    case "release":
    case "pick":
      return { do: kind, id: path.split("/").at(-2)!, ...(kind === "pick" && { quantity: amount, pick }) };
    case "stock":
      return { do: "read" };
    default:
      throw new Error(`${kind} is no op on a stock that only clients move`);
  }
};
