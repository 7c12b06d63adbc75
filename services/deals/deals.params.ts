import { amount, money, quantity } from "../../mixins/core/decimal.ts";
import { id, idMessages, productId, warehouseId } from "../../mixins/core/ids.ts";

const text = { type: "string", min: 1, max: 200, trim: true } as const;
const optional = <const R extends object>(rule: R) => ({ ...rule, optional: true }) as const;

/** Shorter than other ids: reservations and sagas are named after it. */
export const dealId = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,39}$", messages: idMessages(40) } as const;
export const lineId = { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,11}$", messages: idMessages(12, "_ and -") } as const;
const party = id;
const country = { type: "string", min: 1, max: 60 } as const;
const told = (what: string) => ({ stringPattern: `The '{field}' field must be ${what}` });
export const currency = { type: "string", pattern: "^[A-Z]{3}$", messages: told("a currency of ISO 4217, like 'GBP'") } as const;
export const day = {
  type: "string",
  pattern: "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$",
  messages: told("a day, like '2011-06-01'"),
} as const;
export const reason = { type: "string", min: 1, max: 500, trim: true } as const;
const kind = { type: "enum", values: ["goods", "service"] } as const;

export const source = { type: "object", props: { supplier: text, quantity, cost: quantity } } as const;
const sources = { type: "array", max: 100, items: source, default: [] } as const;
const line = {
  type: "object",
  props: {
    id: optional(lineId),
    product: productId,
    warehouse: { ...warehouseId, default: "main" },
    /** Where it is not said, the products room is asked; goods where that does not know. */
    kind: optional(kind),
    quantity,
    rate: money,
    sources,
  },
} as const;
export const lines = { type: "array", min: 1, max: 2_000, items: line } as const;
export const keeping = { owner: optional(id), team: optional(id) } as const;
export const header = { saleParty: party, country: { ...country, default: "unknown" }, currency, date: optional(day) } as const;
export const amendment = {
  saleParty: optional(party),
  country: optional(country),
  currency: optional(currency),
  date: optional(day),
  lines: optional(lines),
} as const;

const lineBack = { id: lineId, line: optional(lineId), product: productId, warehouse: warehouseId, kind, quantity, rate: money } as const;
/** What comes back to no deal that we know. */
export const linesBack = {
  type: "array",
  min: 1,
  max: 2_000,
  items: {
    type: "object",
    props: { product: productId, warehouse: { ...warehouseId, default: "main" }, kind: optional(kind), quantity, rate: money },
  },
} as const;
export const returning = { type: "array", min: 1, max: 2_000, items: { type: "object", props: { line: lineId, quantity } } } as const;

const shownLine = {
  type: "object",
  props: {
    id: lineId,
    product: productId,
    warehouse: warehouseId,
    kind,
    quantity,
    rate: money,
    sources: { type: "array", items: { type: "object", props: { ...source.props, cost: optional(quantity) } } },
    amount,
    cost: optional(amount),
    margin: optional(amount),
  },
} as const;

const status = { type: "enum", values: ["open", "confirming", "confirmed", "fulfilled", "cancelled", "returned"] } as const;

export const deal = {
  id: dealId,
  version: "number",
  status,
  saleParty: party,
  country,
  currency,
  date: day,
  ...keeping,
  /** Sum of the lines; what came back is not taken off. Below zero for a return that stands alone. */
  amount,
  cost: optional(amount),
  margin: optional(amount),
  lines: { type: "array", items: shownLine },
  returns: {
    type: "array",
    items: {
      type: "object",
      props: {
        id: "string",
        date: day,
        received: "boolean",
        amount,
        reason: optional({ type: "string" }),
        lines: { type: "array", items: { type: "object", props: lineBack } },
      },
    },
  },
  notes: { type: "array", items: "string" },
  fulfilling: { type: "boolean", optional: true },
  /** Why it was cancelled, or is being. */
  cancellation: { type: "string", optional: true },
  refused: { type: "object", optional: true, props: { code: "string", reason: "string" } },
  /** Only when it is opened: the lines whose stock is short now. A hint, for confirming decides. */
  short: { type: "array", optional: true, items: { type: "object", props: { line: lineId, product: productId, available: amount } } },
} as const;

export const summary = {
  id: dealId,
  version: "number",
  status,
  saleParty: party,
  country,
  currency,
  date: day,
  ...keeping,
  lines: "number",
  amount,
} as const;

/** Milliseconds of a moment, in ISO 8601 with its zone. */
export const moment = {
  type: "string",
  pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,3})?)?(Z|[+-]\\d{2}:\\d{2})$",
  messages: told("a moment with its zone, like '2011-06-01T00:00:00Z'"),
} as const;
