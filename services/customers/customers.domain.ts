import { canonical } from "../../mixins/core/decimal.ts";
import { Conflict, Rejected } from "../../mixins/core/errors.ts";
import type { Customer } from "./customers.events.ts";

type Draft = Partial<Customer>;

const MAX_DEPTH = 4;
const MAX_FIELDS = 200;
const MAX_SIZE = 16_384; // characters as JSON

/** A customer as it is kept: money in its one form, each tag once, free fields within bounds. Throws `FIELDS_TOO_LARGE`. */
export const tidied = (customer: Draft): Draft => {
  const { creditLimit, tags, fields } = customer;
  if (fields) checkSize(fields);
  return {
    ...customer,
    ...(creditLimit && { creditLimit: { ...creditLimit, amount: canonical(creditLimit.amount) } }),
    ...(tags && { tags: [...new Set(tags)] }),
  };
};

/** In which form tax ids are compared: `gb 123-4567-89` is `GB123456789`. */
export const taxIdOf = (taxId: string): string =>
  taxId
    .normalize("NFKC")
    .toUpperCase()
    .replace(/[^\p{L}\p{N}]/gu, "");

/** What stands instead of whoever a customer was; what was traded with it stays. */
export const ERASED_CUSTOMER = { name: "erased", tags: null, fields: null };

const checkSize = (fields: unknown): void => {
  let count = 0;
  const walk = (value: unknown, depth: number) => {
    if (typeof value !== "object" || value === null) return;
    if (depth > MAX_DEPTH) throw tooLarge();
    for (const part of Object.values(value)) {
      if (++count > MAX_FIELDS) throw tooLarge();
      walk(part, depth + 1);
    }
  };
  walk(fields, 1);
  if (JSON.stringify(fields).length > MAX_SIZE) throw tooLarge();
};

const tooLarge = () =>
  new Rejected("FIELDS_TOO_LARGE", `Free fields may be ${MAX_DEPTH} deep, ${MAX_FIELDS} in number and ${MAX_SIZE} characters in all`);

/** What a customer takes over from its double: contacts and tags that it has not; for the rest its own word stands. */
export const united = (customer: Draft, double: Draft): Draft => {
  const contacts = new Map([...(customer.contacts ?? []), ...(double.contacts ?? [])].map((c) => [JSON.stringify(c), c]));
  const tags = new Set([...(customer.tags ?? []), ...(double.tags ?? [])]);
  return { ...(contacts.size > 0 && { contacts: [...contacts.values()] }), ...(tags.size > 0 && { tags: [...tags] }) };
};

/** Why a double takes no more changes: they belong to the one that stands for it. */
export const refusalOf = ({ mergedInto }: Draft): Rejected | undefined =>
  mergedInto === undefined
    ? undefined
    : new Rejected("CUSTOMER_MERGED", `This customer was merged into ${mergedInto}`, 409, { into: mergedInto });

type Get = (id: string) => Draft | undefined;

/**
 * The customer that stands for this one now: a double's, and that one's if it was merged in its turn. Throws `VERSION_CONFLICT` where that
 * leads in a circle: what was looked at is of different moments.
 */
export const standsFor = (id: string, get: Get, passed: readonly string[] = []): string => {
  const into = get(id)?.mergedInto;
  if (into === undefined) return id;
  if (passed.includes(into)) throw new Conflict(into, get(into)?.version ?? 0);
  return standsFor(into, get, [...passed, into]);
};

/** Whether `id` is still to be merged into `target`, for which nobody stands any more. Throws `MERGE_CYCLE`, `CUSTOMER_MERGED`. */
export const mustMerge = (id: string, target: string, get: Get): boolean => {
  if (target === id) throw new Rejected("MERGE_CYCLE", "A customer cannot be merged into itself, nor into its own double");
  const double = get(id);
  if (double?.mergedInto === undefined) return true;
  if (standsFor(id, get) === target) return false;
  throw refusalOf(double)!;
};
