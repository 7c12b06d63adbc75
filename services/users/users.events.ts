import { id } from "../../mixins/core/ids.ts";
import type { Infer } from "../../mixins/core/params.ts";

/** An address as people write it: local part and domain, no names or comments; whether it exists only a letter to it shows. */
export const email = {
  type: "string",
  max: 254,
  pattern: '^[^\\s@<>(),;:\\\\"\\[\\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$',
  messages: { stringPattern: "The '{field}' field must be an e-mail address, like ann@acme.example" },
} as const;

export const roleName = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;

/** A person who works with the system. */
export const userFields = {
  name: { type: "string", min: 1, max: 200 },
  email,
  roles: { type: "array", items: roleName, max: 20, default: [] },
  teams: { type: "array", items: id, max: 50, default: [] },
  status: { type: "enum", values: ["active", "disabled"], default: "active" },
  language: { type: "string", pattern: "^[a-z]{2,3}(-[A-Z]{2})?$", optional: true },
  /** How he wants to be told things. */
  channels: { type: "array", items: { type: "enum", values: ["email", "sms", "whatsapp"] }, max: 3, optional: true },
} as const;

/** What nobody but this room reads: in its events, as everywhere outside of its answers, there is `{ sealed }` instead. */
export const userSealed = ["email", "channels"] as const;

/** Of these there is a digest in events: it changes with them. */
export const userPersonal = ["name", "language"] as const;

export type UserDocument = { id: string; version: number; createdAt: string; updatedAt: string; erasedAt?: string } & Infer<
  typeof userFields
>;

/** Version 1 of both. `email` and `channels` are sealed, of `name` and `language` there is a digest. */
export type UserEvent = { type: "UserSaved"; document: UserDocument } | { type: "UserRemoved" };
