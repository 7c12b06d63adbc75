import { id } from "../../mixins/core/ids.ts";
import { LONGEST, LONGEST_ROLE, MOST_ROLES } from "../../mixins/trust/refusals.ts";

export const day = { type: "string", pattern: "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$" } as const;
export const number = { type: "number", integer: true, min: 1, max: 999_999_999_999, convert: true } as const;

const result = { type: "enum", values: ["accepted", "refused", "noted"] } as const;
const optional = { type: "string", optional: true } as const;
const count = { type: "number", integer: true, optional: true } as const;
const action = { type: "string", pattern: "^[a-z][A-Za-z0-9.]{0,99}$" } as const;
const room = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;

/** `from` and `to`: days (UTC) on which it was written down, both counted. */
export const filters = {
  limit: { type: "number", integer: true, min: 1, max: 1_000, convert: true, default: 50 },
  after: { type: "string", max: 40, optional: true },
  user: { ...id, optional: true },
  /** `deals/d1`. */
  resource: { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}/[A-Za-z0-9_~@.-]{1,200}$", optional: true },
  room: { ...room, optional: true },
  action: { ...action, optional: true },
  result: { ...result, optional: true },
  from: { ...day, optional: true },
  to: { ...day, optional: true },
} as const;

export const line = {
  day: "string",
  n: "number",
  at: "string",
  written: "string",
  result,
  room: "string",
  action: "string",
  types: { type: "array", items: "string", optional: true },
  resource: optional,
  version: count,
  user: optional,
  roles: { type: "array", items: "string", optional: true },
  session: optional,
  from: optional,
  request: optional,
  cause: optional,
  occurredAt: optional,
  code: optional,
  status: count,
  count,
  until: optional,
  node: optional,
  digest: optional,
  bytes: count,
  covered: { type: "boolean", optional: true },
  id: "string",
} as const;

export const entry = { ...line, change: { type: "array", items: { type: "object", props: { type: "string" } }, optional: true } } as const;

export const root = {
  day: "string",
  n: "number",
  chain: "string",
  first: count,
  kid: optional,
  signature: optional,
} as const;

const short = { type: "string", max: LONGEST, optional: true } as const;
const time = { type: "number", integer: true, min: 0 } as const;

/** What `Refusals` sends. */
export const report = {
  $$strict: "remove",
  id: { type: "string", pattern: "^[A-Za-z0-9-]{1,64}$" },
  at: time,
  until: { ...time, optional: true },
  count: { type: "number", integer: true, min: 1 },
  result,
  /** An action of a room; no event, and nothing that this room says itself. */
  action: { type: "string", pattern: "^(v\\d{1,3}(\\.[A-Za-z][A-Za-z0-9-]{0,31}){2,3}|audit\\.dropped)$" },
  code: short,
  status: { type: "number", integer: true, min: 100, max: 599, optional: true },
  user: short,
  roles: { type: "array", items: { type: "string", max: LONGEST_ROLE }, max: MOST_ROLES, optional: true },
  session: short,
  from: short,
  request: short,
  resource: short,
  cause: short,
} as const;
