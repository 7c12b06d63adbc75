import { canonical } from "../../mixins/core/decimal.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import type { Versioned } from "../../mixins/core/model.ts";
import { action } from "../../mixins/core/params.ts";
import { book, bookReturn as bookReturned, type Deal } from "./deals.domain.ts";
import type { Line, Source } from "./deals.events.ts";
import * as shapes from "./deals.params.ts";
import type { DealCall, Deals } from "./deals.room.ts";
import { confirmation, takingBack } from "./deals.saga.ts";
import { kindsOf } from "./deals.stock.ts";

type LineAsked = Omit<Line, "id" | "kind" | "warehouse" | "sources"> & Partial<Line>;

const PATIENCE = 60_000;
const brief = { id: shapes.dealId, version: "number", status: shapes.deal.status, refused: shapes.deal.refused } as const;

/**
 * Books a deal that has happened already: opens, confirms and fulfils it in one request. The same id again goes on from
 * where it is; a deal that could not be had is left open and says why.
 */
export const bookPast = action({
  rest: "POST /book",
  visibility: "published",
  permission: "deals.book",
  timeout: PATIENCE,
  params: { id: shapes.dealId, ...shapes.header, lines: shapes.lines },
  returns: brief,
  async handler(this: Deals, ctx) {
    const { id, saleParty, country, currency, date = today() } = ctx.params;
    const header = { saleParty, country: country!, currency, date };
    let deal = await this.act(ctx, id, book(header, await linesOf(ctx, ctx.params.lines), Date.now()), { creates: true });
    if (deal.status === "confirming") {
      await this.pursue(ctx, confirmation(id, deal.attempt), PATIENCE);
      deal = (await this.peek(id))!;
    }
    return briefly(deal);
  },
});

/** Books a return that stands alone: goods that come back from a deal that we do not know. The same id again is the same return. */
export const bookReturn = action({
  rest: "POST /returns",
  visibility: "published",
  permission: "deals.book",
  timeout: PATIENCE,
  params: { id: shapes.dealId, ...shapes.header, lines: shapes.linesBack },
  returns: brief,
  async handler(this: Deals, ctx) {
    const { id, saleParty, country, currency, date = today() } = ctx.params;
    const kinds = await kindsOf(ctx, ctx.params.lines);
    const lines = ctx.params.lines.map(({ product, warehouse, kind, quantity, rate }, i) => ({
      ...{ id: String(i + 1), product, warehouse: warehouse!, kind: kind ?? kinds.get(product) ?? "goods" },
      ...{ quantity: canonical(quantity), rate: canonical(rate) },
    }));
    let deal = await this.act(ctx, id, bookReturned({ saleParty, country: country!, currency, date }, lines), { creates: true });
    if (takesBack(deal, "1")) {
      await this.pursue(ctx, takingBack(id, "1"), PATIENCE);
      deal = (await this.peek(id))!;
    }
    return briefly(deal);
  },
});

const briefly = ({ id, version, status, refused }: Versioned<Deal>) => ({
  ...{ id, version, status: status as Exclude<Deal["status"], "none"> },
  ...(refused && { refused }),
});

/** Lines as a deal holds them: each with an id of its own, and what its product is. */
export const linesOf = async (ctx: DealCall, lines: readonly LineAsked[]): Promise<Line[]> => {
  const kinds = await kindsOf(ctx, lines);
  const taken = new Set(lines.map(({ id }) => id));
  let next = 0;
  const fresh = () => {
    do next++;
    while (taken.has(String(next)));
    return String(next);
  };
  return lines.map(({ id = fresh(), product, warehouse = "main", kind = kinds.get(product) ?? "goods", quantity, rate, sources = [] }) => ({
    ...{ id, product, warehouse, kind, quantity: canonical(quantity), rate: canonical(rate), sources: sources.map(sourceOf) },
  }));
};

export const sourceOf = ({ supplier, quantity, cost }: Source): Source => ({
  ...{ supplier, quantity: canonical(quantity), cost: canonical(cost) },
});

/** Whether the return's goods are still on their way into stock. */
export const takesBack = (deal: Deal, back: string): boolean => deal.returns.some(({ id, received }) => id === back && !received);

export const today = (): string => Temporal.Now.plainDateISO("UTC").toString();

export const momentOf = (text: string): number => {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new Rejected("MOMENT_INVALID", "at must be a moment as 2011-06-01T00:00:00Z", 400);
  return at;
};
