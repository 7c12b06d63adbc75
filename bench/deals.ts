/** The bench's data, the same for every system: made from a number, so that nobody has to store or send it. */
export const SEEDED = 20_000;

export interface DealRequest {
  id?: string;
  saleParty: string;
  country: string;
  currency: string;
  date: string;
  lines: { product: string; quantity: string; rate: string; sources: { supplier: string; quantity: string; cost: string }[] }[];
}

/** What a client posts to open the n-th deal with so many lines, one source each. */
export const dealRequest = (n: number, lines: number): DealRequest => ({
  saleParty: `party-${n % 500}`,
  country: "United Kingdom",
  currency: "GBP",
  date: new Date(Date.UTC(2025, 0, 1 + (n % 365))).toISOString().slice(0, 10),
  lines: Array.from({ length: lines }, (_, line) => ({
    product: `product-${(n * 7 + line * 13) % 4_000}`,
    quantity: String(1 + ((n + line) % 48)),
    rate: `${1 + (n % 9)}.${1 + (line % 9)}`,
    sources: [{ supplier: `supplier-${n % 50}`, quantity: String(1 + ((n + line) % 48)), cost: `1.0${1 + (n % 9)}` }],
  })),
});

export const seedId = (n: number) => `seed-${String(n).padStart(6, "0")}`;

/** The n-th of the deals that every system has before its reads are measured: three lines. */
export const seedDeal = (n: number): DealRequest => ({ id: seedId(n), ...dealRequest(n, 3) });
