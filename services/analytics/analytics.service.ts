import type { ServiceSchema } from "moleculer";
import { type Cached, cached, keyOf } from "../../mixins/cached.mixin.ts";
import { amount, decimal } from "../../mixins/core/decimal.ts";
import { freeze } from "../../mixins/core/freeze.ts";
import { action } from "../../mixins/core/params.ts";
import { type Projecting, projection } from "../../mixins/projection.mixin.ts";
import type { Total } from "../../mixins/storage/view-store.ts";
import type { Contribution } from "./analytics.domain.ts";
import { contributions } from "./analytics.views.ts";

const day = { type: "string", pattern: "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$", optional: true } as const;
/** Cost and margin are for those who may see them. */
const confidential = { ...amount, optional: true } as const;
const figures = { sales: amount, returns: amount, revenue: amount, cost: confidential, margin: confidential, units: amount } as const;
const currency = { type: "string", pattern: "^[A-Z]{3}$" } as const;

/** Letters of a day that name its month. */
const MONTH = 7;
const DAY = 10;
/** Milliseconds: with what a view is behind its record, a report is still current within a second. */
const KEPT = 250;

const row = ({ key, currency, measures: [sales, returns, cost, units] }: Total) => {
  const revenue = sales! - returns!;
  return {
    ...{ key, currency, sales: decimal(sales!), returns: decimal(returns!), revenue: decimal(revenue) },
    ...{ cost: decimal(cost!), margin: decimal(revenue - cost!), units: decimal(units!) },
  };
};

const totalsOf = (rows: readonly Total[]) => {
  const sums = new Map<string, Total>();
  for (const { currency, measures } of rows) {
    const sum = sums.get(currency) ?? { key: "all", currency, measures: measures.map(() => 0n) };
    sums.set(currency, { ...sum, measures: sum.measures.map((m, i) => m + measures[i]!) });
  }
  return [...sums.values()].map(row).map(({ key, ...total }) => total);
};

const byRevenue = (a: Total, b: Total) => {
  const [x, y] = [a, b].map(({ measures }) => measures[0]! - measures[1]!) as [bigint, bigint];
  return x === y ? (a.key < b.key ? -1 : 1) : x < y ? 1 : -1;
};

export default {
  name: "analytics",
  version: 1,
  mixins: [cached(), projection(contributions)],
  actions: {
    /**
     * What confirmed deals brought by month, day, country, customer or product, each currency for itself: `revenue` is
     * sales less returns, on the deal's business date, a return's on its own; `margin` is revenue less the cost of goods.
     */
    revenue: action({
      rest: "GET /revenue",
      visibility: "published",
      permission: "analytics.read",
      http: { csv: true },
      params: {
        by: { type: "enum", values: ["month", "day", "country", "customer", "product"], default: "month" },
        from: day,
        to: day,
        currency: { ...currency, optional: true },
        /** Only so many, those with the highest revenue first. */
        top: { type: "number", integer: true, min: 1, max: 1_000, convert: true, optional: true },
        limit: { type: "number", integer: true, min: 1, max: 1_000, convert: true, default: 200 },
        after: { type: "string", max: 200, optional: true },
        seen: { type: "string", max: 80, optional: true },
      },
      returns: {
        items: { type: "array", items: { type: "object", props: { key: "string", currency, ...figures } } },
        /** Of all, also where the items are a page or the top ones. */
        totals: { type: "array", items: { type: "object", props: { currency, ...figures } } },
        next: { type: "string", optional: true },
      },
      async handler(this: Projecting & Cached, ctx) {
        const { by, from, to, currency, top, limit, after, seen } = ctx.params;
        const dimension = by === "month" || by === "day" ? "all" : by!;
        const prefix = by === "month" ? MONTH : by === "day" ? DAY : undefined;
        const report = async () => {
          const rows = await this.view<Contribution>("contributions").totals(dimension, { from, to, currency, prefix }, seen);
          const place = ({ key, currency }: Total) => `${key} ${currency}`;
          const rest = after === undefined ? rows : rows.filter((total) => place(total) > Buffer.from(after, "base64url").toString());
          const shown = top === undefined ? rest.slice(0, limit) : [...rows].sort(byRevenue).slice(0, top);
          const last = shown.at(-1);
          const more = top === undefined && last && rest.length > shown.length;
          return freeze({
            items: shown.map(row),
            totals: totalsOf(rows),
            ...(more && { next: Buffer.from(place(last)).toString("base64url") }),
          });
        };
        return seen === undefined ? this.recent("analytics", keyOf(ctx), report, KEPT) : report();
      },
    }),
  },
} satisfies ServiceSchema;
