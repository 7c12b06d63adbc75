import type { Projection } from "../../mixins/view.sink.ts";
import type { DealEvent } from "../deals/deals.events.ts";
import { type Contribution, DIMENSIONS, figuresOf, MEASURES, returnedShares, soldShares, withCosts } from "./analytics.domain.ts";

/** What each deal adds to the figures, and the figures of each day. */
export const contributions: Projection<Contribution, DealEvent> = {
  name: "contributions",
  number: 2,
  source: "deals",
  columns: { currency: ({ currency }) => currency },
  many: { day: ({ sold, returned }) => [...(sold ? [sold.day] : []), ...returned.map(({ day }) => day)] },
  order: "currency",
  rollup: { by: "day", dimensions: DIMENSIONS, measures: MEASURES, figures: figuresOf },
  on: {
    DealConfirmed: (_, { saleParty: customer, country, currency, date: day, lines }) => ({
      ...{ customer, country, currency, sold: { day, shares: soldShares(lines) }, returned: [] },
    }),
    DealFulfilled: (deal, { costs }) =>
      deal?.sold && costs.length > 0 ? { ...deal, sold: { ...deal.sold, shares: withCosts(deal.sold.shares, costs) } } : deal,
    DealCancelled: () => undefined,
    LinesReturned: (deal, { date: day, lines }) =>
      deal && { ...deal, returned: [...deal.returned, { day, shares: returnedShares(lines, deal.sold?.shares) }] },
    ReturnBooked: (_, { saleParty: customer, country, currency, date: day, lines }) => ({
      ...{ customer, country, currency, returned: [{ day, shares: returnedShares(lines) }] },
    }),
  },
};
