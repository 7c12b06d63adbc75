import type { Infer } from "../../mixins/core/params.ts";

/** A permission as actions declare it, with `*` for any room or any verb, and which records it reaches where that is not all. */
const grant = {
  type: "string",
  pattern: "^([a-z][a-z0-9]{0,31}|\\*)\\.([a-z][A-Za-z0-9]{0,31}|\\*)(:(own|team|all))?$",
  messages: { stringPattern: "The '{field}' field must be a permission like deals.read, deals.*, or deals.write:own" },
} as const;

/** What one role may do. */
export const policyFields = {
  description: { type: "string", min: 1, max: 500, optional: true },
  grants: { type: "array", items: grant, max: 200 },
} as const;

export type PolicyDocument = { id: string; version: number; createdAt: string; updatedAt: string } & Infer<typeof policyFields>;

/** Version 1 of both. */
export type PolicyEvent = { type: "PolicySaved"; document: PolicyDocument } | { type: "PolicyRemoved" };
