import { productId } from "../../mixins/core/ids.ts";
import type { Infer } from "../../mixins/core/params.ts";

const description = { type: "string", min: 1, max: 500 } as const;

/** What a product is made of, as its keeper gives it. */
export const productFields = {
  /** As the trade writes it, `BANK CHARGES`; no other product has it, and it stays. */
  code: { type: "string", min: 1, max: 60 },
  description: { ...description, optional: true },
  unit: { type: "string", min: 1, max: 20, default: "pcs" },
  /** Goods are kept in stock, services are not. */
  kind: { type: "enum", values: ["goods", "service"], default: "goods" },
} as const;

/** What the room keeps beside: how the product was described before, oldest first. */
export const productMemory = {
  descriptions: { type: "array", items: description, max: 200, optional: true },
} as const;

export type Product = { id: string; version: number; createdAt: string; updatedAt: string } & Infer<typeof productFields> &
  Infer<typeof productMemory>;

export const productRules = { id: productId, ...productFields, ...productMemory };

/** Version 1 of both. One `Saved` stands for all writes since a follower's last look. */
export type ProductEvent = { type: "ProductSaved"; document: Product } | { type: "ProductRemoved" };
