import { amount, quantity } from "../../mixins/core/decimal.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { id, productId, warehouseId } from "../../mixins/core/ids.ts";

/** An id of a movement or reservation: longer than others, for it is often its caller's with a line's behind it. It names no stream. */
export const movementId = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,127}$" } as const;
export const moment = { type: "number", integer: true, min: 0, optional: true } as const;
const optionalAmount = { ...amount, optional: true } as const;
/** A moment in ISO 8601 with its zone. */
export const instant = {
  type: "string",
  pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,3})?)?(Z|[+-]\\d{2}:\\d{2})$",
  optional: true,
} as const;

export const momentOf = (instant?: string): number | undefined => {
  const at = instant === undefined ? undefined : Date.parse(instant);
  if (Number.isNaN(at)) throw new Rejected("MOMENT_INVALID", "until must be a moment as 2011-06-01T00:00:00Z", 400);
  return at;
};

export const optionalId = { ...movementId, optional: true } as const;
export const optionalQuantity = { ...quantity, optional: true } as const;
export const reason = { type: "string", min: 1, max: 200, optional: true } as const;

/** Which stock: `main` where no warehouse is named. */
export const stock = { product: productId, warehouse: { ...warehouseId, default: "main" } } as const;

/** One of many. `occurredAt` in milliseconds; without it, the call's. */
const item = { id: movementId, ...stock, occurredAt: moment } as const;
const items = <const P extends object>(props: P) =>
  ({ items: { type: "array", min: 1, max: 2_000, items: { type: "object", props } } }) as const;

export const receiving = items({ ...item, quantity, cost: optionalQuantity });
export const writingOff = items({ ...item, quantity, reason });
export const reserving = items({ ...item, quantity, until: moment, askedAt: moment });
export const taking = items({ ...item, quantity, askedAt: moment });
export const releasing = items({ ...item, askedAt: moment });
export const issuing = items({ ...item, quantity: optionalQuantity, pick: optionalId, askedAt: moment });
export const takingBack = items({ ...item, quantity, cost: optionalQuantity });
export const asking = items(stock);

export const answers = {
  items: {
    type: "array",
    items: {
      type: "object",
      props: {
        id: movementId,
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

/** Answer to one movement: what a list takes as `seen` is `<stock>@<version>`. */
export const moved = {
  id: movementId,
  product: productId,
  warehouse: warehouseId,
  stock: id,
  version: "number",
  cost: optionalAmount,
} as const;

export const available = { items: { type: "array", items: { type: "object", props: { ...stock, available: amount } } } } as const;

/** Where a page of the ledger ended: a version, and how many of its lines were shown. */
export const toCursor = (place: readonly [version: number, line: number]): string => Buffer.from(place.join(".")).toString("base64url");

export const fromCursor = (cursor?: string): [version: number, line: number] => {
  if (cursor === undefined) return [1, 0];
  const [, version, line] = /^(\d{1,12})\.(\d{1,6})$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (!version) throw new Rejected("CURSOR_INVALID", "after must be the `next` of a page before, as it was given", 400);
  return [Number(version), Number(line)];
};

const lot = { type: "object", props: { quantity: amount, cost: optionalAmount } } as const;

const stockLine = {
  id,
  product: productId,
  warehouse: warehouseId,
  onHand: amount,
  reserved: amount,
  available: amount,
  inTransit: amount,
  /** What is on hand at what it cost. */
  value: optionalAmount,
  version: { type: "number", optional: true },
} as const;

export const stockAnswer = { ...stockLine, lots: { type: "array", items: lot } } as const;

export const stocks = {
  items: { type: "array", items: { type: "object", props: stockLine } },
  next: { type: "string", optional: true },
} as const;

export const transfer = {
  id: movementId,
  product: productId,
  from: warehouseId,
  to: warehouseId,
  quantity: amount,
  cost: optionalAmount,
} as const;

export const ledger = {
  items: {
    type: "array",
    items: {
      type: "object",
      props: {
        type: "string",
        id: movementId,
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

const OF_DEAL = /~\d+~[A-Za-z0-9_-]{1,12}$/; // deal, attempt and line, as deals name what they reserve

/** What a deal holds is the deal's: whoever released or took it here would leave a deal behind that waits for it for ever. */
export const notOfDeal = <T extends { id?: string }>(params: T): T => {
  if (OF_DEAL.test(params.id ?? ""))
    throw new Rejected("RESERVATION_OF_DEAL", "Ids like this are those of deals: confirm, fulfil or cancel the deal", 409);
  return params;
};
