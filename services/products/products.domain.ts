import type { Product } from "./products.events.ts";

const MAX_PAST = 200;

type Draft = Partial<Product>;

/**
 * A product keeps how it was described before: a new description takes the old one's place, and the old one joins
 * those past, each once. What an import brings of a past joins them, too. Beyond 200 the oldest are forgotten.
 */
export const withPast = (product: Draft, change: Draft, before: Draft | undefined): Draft => {
  const past = [...(before?.descriptions ?? []), ...(change.descriptions ?? []), before?.description].filter(
    (text): text is string => text !== undefined && text !== product.description,
  );
  const descriptions = [...new Set(past)].slice(-MAX_PAST);
  const { descriptions: _, ...rest } = product;
  return descriptions.length > 0 ? { ...rest, descriptions } : rest;
};
