/** What the remote rows ask for and are given, in every system alike: a deal as a list shows it. */
export interface Summary {
  id: string;
  version: number;
  status: string;
  saleParty: string;
  currency: string;
  date: string;
  amount: string;
  lines: number;
}

export const MANY = 1_000;
export const summaryId = (n: number) => `deal-${String(n).padStart(4, "0")}`;

const summaryOf = (n: number): Summary => ({
  id: summaryId(n),
  version: 1 + (n % 9),
  status: "open",
  saleParty: `party-${n % 500}`,
  currency: "GBP",
  date: new Date(Date.UTC(2025, 0, 1 + (n % 365))).toISOString().slice(0, 10),
  amount: `${n}.5`,
  lines: 1 + (n % 20),
});

const summaries = new Map(Array.from({ length: MANY }, (_, n) => [summaryId(n), summaryOf(n)]));

/** Finds it, as a room does that has it in memory. */
export const findSummary = (id: string): Summary | undefined => summaries.get(id);
