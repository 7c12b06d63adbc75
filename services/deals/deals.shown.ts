import { decimal, units } from "../../mixins/core/decimal.ts";
import { freeze } from "../../mixins/core/freeze.ts";
import type { Versioned } from "../../mixins/core/model.ts";
import type { Deal, DealLine } from "./deals.domain.ts";
import { amountOf } from "./deals.lines.ts";

const total = (lines: readonly { quantity: string; rate: string }[]) => lines.reduce((sum, line) => sum + amountOf(line), 0n);

const shownLine = (line: DealLine, amount: bigint) => {
  const { id, product, warehouse, kind, quantity, rate, sources, cost } = line;
  const priced = { id, product, warehouse, kind, quantity, rate, sources, amount: decimal(amount) };
  return cost === undefined ? priced : { ...priced, cost, margin: decimal(amount - units(cost)) };
};

/** A deal with its amounts and margins, as the API answers it. */
export const show = (deal: Versioned<Deal>) => {
  const { id, version, status, saleParty, country, currency, date, owner, team, notes, fulfilling, cancelling, refused } = deal;
  const amounts = deal.lines.map(amountOf);
  const amount = status === "returned" ? -total(deal.returns.flatMap(({ lines }) => lines)) : amounts.reduce((sum, one) => sum + one, 0n);
  const costed = deal.lines.length > 0 && deal.lines.every((line) => line.cost !== undefined);
  const cost = costed ? deal.lines.reduce((sum, line) => sum + units(line.cost!), 0n) : 0n;
  return {
    ...{ id, version, status: status as Exclude<Deal["status"], "none">, saleParty, country, currency, date, amount: decimal(amount) },
    ...(owner && { owner }),
    ...(team && { team }),
    ...(costed && { cost: decimal(cost), margin: decimal(amount - cost) }),
    lines: deal.lines.map((line, i) => shownLine(line, amounts[i]!)),
    returns: deal.returns.map(({ id, date, lines, received, reason }) => ({
      id,
      date,
      received,
      amount: decimal(total(lines)),
      ...(reason && { reason }),
      lines,
    })),
    notes,
    ...(fulfilling && { fulfilling }),
    ...(cancelling !== undefined && { cancellation: cancelling }),
    ...(refused && { refused }),
  };
};

const kept = new WeakMap<Versioned<Deal>, ReturnType<typeof show>>();

/** The same object for the same state, frozen: for what is asked again and again. */
export const shown = (deal: Versioned<Deal>): ReturnType<typeof show> => {
  let answer = kept.get(deal);
  if (!answer) {
    answer = freeze(show(deal));
    kept.set(deal, answer);
  }
  return answer;
};

export const amountOfAll = (lines: readonly { quantity: string; rate: string }[]): string => decimal(total(lines));
