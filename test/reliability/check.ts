import { checkDeals } from "./check.deals.ts";
import { checkEffects } from "./check.effects.ts";
import { checkHistories } from "./check.history.ts";
import { checkReads } from "./check.reads.ts";
import { checkStock } from "./check.stock.ts";
import { checkViews } from "./check.views.ts";
import type { Journal } from "./journal.ts";
import type { Inspected } from "./record.ts";

export interface CheckSettings {
  /** Milliseconds that a list may be behind one that was shown before, by another node; none where all processes read one file. */
  behind?: number;
}

/** Everything that clients were told, held against the record as it is in the end. Answers what was promised and is not so. */
export const check = (journal: Journal, record: Inspected, { behind = 0 }: CheckSettings = {}): string[] => [
  ...record.unsettled.map((what) => `still moving: ${what}`),
  ...record.torn,
  ...journal.breaches,
  ...checkEffects(journal, record),
  ...checkReads(journal, record, behind),
  ...checkHistories(journal, record),
  ...checkStock(record),
  ...checkDeals(journal, record),
  ...checkViews(record),
];
