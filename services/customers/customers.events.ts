import { quantity } from "../../mixins/core/decimal.ts";
import { id } from "../../mixins/core/ids.ts";
import type { Infer } from "../../mixins/core/params.ts";

const line = { type: "string", max: 200, optional: true } as const;

export const contact = {
  type: "object",
  props: { name: { type: "string", min: 1, max: 200 }, role: line, email: line, phone: line, address: { ...line, max: 500 } },
} as const;

/** What is known of a customer, as its keepers give it. */
export const customerFields = {
  name: { type: "string", min: 1, max: 200 },
  /** As the books have it: `United Kingdom`, `EIRE`. */
  country: { type: "string", min: 1, max: 60, optional: true },
  contacts: { type: "array", items: contact, max: 50, optional: true },
  /** As its country writes it: `GB 123 4567 89`. */
  taxId: { type: "string", min: 1, max: 40, optional: true },
  creditLimit: {
    type: "object",
    props: { amount: quantity, currency: { type: "string", pattern: "^[A-Z]{3}$" } },
    optional: true,
  },
  tags: { type: "array", items: { type: "string", min: 1, max: 60 }, max: 50, optional: true },
  /** Whatever else a house keeps of its customers: at most 4 deep, 200 fields and 16 KB. */
  fields: { type: "object", optional: true },
} as const;

/** What nobody but this room reads: in its events, as everywhere outside of its answers, there is `{ sealed }` instead. */
export const customerSealed = ["contacts", "taxId"] as const;

/** Of these there is a digest in events: it changes with them. */
export const customerPersonal = ["name", "tags", "fields"] as const;

/** Set when it turned out to be another one's double: that one stands for it, this one is only where it went. */
export const customerMemory = { mergedInto: { ...id, optional: true } } as const;

export type Customer = { id: string; version: number; createdAt: string; updatedAt: string; erasedAt?: string } & Infer<
  typeof customerFields
> &
  Infer<typeof customerMemory>;

/** Version 1 of both; `contacts` and `taxId` are sealed, of `name`, `tags` and `fields` there is a digest. One `Saved` stands for all writes since a follower's last look. */
export type CustomerEvent = { type: "CustomerSaved"; document: Customer } | { type: "CustomerRemoved" };
