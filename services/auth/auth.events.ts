/** What others may see of an account: whether somebody can log in to it. */
export const accountFields = {
  /** The user's, or empty for what is no account. */
  user: { type: "string", max: 64 },
  /** When a password was set, the last time (ISO 8601); absent while nobody can log in. */
  password: { type: "string", max: 40, optional: true },
  /** Whether a second factor is asked for. */
  secondFactor: { type: "boolean", optional: true },
  /** When a session of it was last ended before its time, in milliseconds since the epoch. */
  endedAt: { type: "number", integer: true, optional: true },
} as const;

/** Version 1 of both. What is secret in an account is in none of them. */
export type AccountEvent = { type: "AccountSaved"; document: { id: string; version: number; user: string } } | { type: "AccountRemoved" };
