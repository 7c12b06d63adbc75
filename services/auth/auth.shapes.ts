import { id as userId } from "../../mixins/core/ids.ts";

export { userId };

/** What anybody types: its length is bounded, and the room says whether it is right. */
export const email = { type: "string", min: 3, max: 254 } as const;
export const given = { type: "string", min: 1, max: 1_024 } as const;
export const code = { type: "string", pattern: "^[A-Za-z0-9 -]{6,24}$" } as const;
export const secret = { type: "string", min: 1, max: 256 } as const;
/** What a browser brings back from a provider, or was given to keep. */
export const brought = { type: "string", min: 1, max: 4_096 } as const;
export const agent = { type: "string", min: 1, max: 200 } as const;
export const sessionId = { type: "string", pattern: "^[A-Za-z0-9-]{1,64}$" } as const;

export const roleName = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;
export const days = { type: "number", integer: true, min: 1, max: 366, default: 90, convert: true } as const;

/** The tokens go into a browser's cookies, out of the reach of its scripts. */
export const cookies = { type: "boolean", optional: true } as const;
/** Requests a second that a key may make, where that is less than its user may. */
export const rate = { type: "number", integer: true, min: 1, max: 100_000, optional: true } as const;

const number = { type: "number", integer: true } as const;

const text = { type: "string", optional: true } as const;
/** With cookies no token is told, and `csrfToken` is. */
export const granted = {
  accessToken: text,
  refreshToken: text,
  tokenType: text,
  csrfToken: text,
  expiresIn: number,
  user: "string",
} as const;
export const apiKey = {
  ...{ id: "string", name: "string", roles: { type: "array", items: "string" }, made: "string", until: "string" },
  seen: { type: "string", optional: true },
  rate,
} as const;
export const count = { ended: number } as const;
export const session = {
  ...{ id: "string", began: "string", seen: "string", current: "boolean" },
  agent: { type: "string", optional: true },
} as const;
