import { amount, quantity } from "../../mixins/core/decimal.ts";
import { id, productId, warehouseId } from "../../mixins/core/ids.ts";

export const moment = { type: "number", integer: true, min: 0, optional: true } as const;
export const pathMoment = { type: "string", optional: true } as const;
const optionalAmount = { ...amount, optional: true } as const;
export const optionalId = { ...id, optional: true } as const;
export const optionalQuantity = { ...quantity, optional: true } as const;
export const reason = { type: "string", min: 1, max: 200, optional: true } as const;

/** Which stock: `main` where no warehouse is named. */
export const stock = { product: productId, warehouse: { ...warehouseId, default: "main" } } as const;

/** One of many. `occurredAt` in milliseconds; without it, the call's. */
const item = { id, ...stock, occurredAt: moment } as const;
const many = <const P extends object>(props: P) =>
  ({ items: { type: "array", min: 1, max: 2_000, items: { type: "object", props } } }) as const;

export const receiving = many({ ...item, quantity, cost: optionalQuantity });
export const writingOff = many({ ...item, quantity, reason });
export const reserving = many({ ...item, quantity, until: moment, askedAt: moment });
export const releasing = many({ ...item, askedAt: moment });
export const issuing = many({ ...item, quantity: optionalQuantity, pick: optionalId });
export const takingBack = many({ ...item, quantity, cost: optionalQuantity });
export const asking = many(stock);

export const answers = {
  items: {
    type: "array",
    items: {
      type: "object",
      props: {
        id,
        ok: "boolean",
        cost: optionalAmount,
        /** What was free when it was refused. */
        available: optionalAmount,
        /** The code of the refusal. */
        reason: { type: "string", optional: true },
      },
    },
  },
} as const;

/** Answer to one movement. `stock` and `version` are what a list's `?seen=` takes. */
export const moved = { id, product: productId, warehouse: warehouseId, cost: optionalAmount } as const;

export const available = { items: { type: "array", items: { type: "object", props: { ...stock, available: amount } } } } as const;

const lot = { type: "object", props: { quantity: amount, cost: amount } } as const;

export const stockAnswer = {
  id,
  product: productId,
  warehouse: warehouseId,
  onHand: amount,
  reserved: amount,
  available: amount,
  inTransit: amount,
  /** What is on hand at what it cost. */
  value: amount,
  lots: { type: "array", items: lot },
  version: { type: "number", optional: true },
} as const;

export const transfer = { id, product: productId, from: warehouseId, to: warehouseId, quantity: amount, cost: optionalAmount } as const;

export const ledger = {
  items: {
    type: "array",
    items: {
      type: "object",
      props: {
        type: "string",
        id,
        pick: optionalId,
        /** How it changed what is on hand and what is reserved, and what it cost in total. */
        onHand: amount,
        reserved: amount,
        cost: optionalAmount,
        at: "string",
        occurredAt: "string",
        by: { type: "string", optional: true },
        request: { type: "string", optional: true },
        version: "number",
      },
    },
  },
  next: { type: "string", optional: true },
} as const;

export const paging = {
  limit: { type: "number", integer: true, min: 1, max: 200, convert: true, default: 50 },
  after: { type: "string", max: 64, optional: true },
} as const;
