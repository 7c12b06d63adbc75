import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { recordCancelled, recordConfirmed, recordFulfilled, recordReturned, reopen } from "./deals.domain.ts";
import { dealId as id } from "./deals.params.ts";
import type { Deals } from "./deals.room.ts";
import { issue, release, reserve, takeBack } from "./deals.stock.ts";

const attempt = "number|integer|min:1";
const costs = { costs: { type: "object" } } as const;
const nothing = {} as const;
const OWN = { key: null }; // what is done shows in the deal's own state: no key is needed to know it again

const there = async (deals: Deals, id: string) => {
  const deal = await deals.peek(id);
  if (!deal) throw new Rejected("DEAL_NOT_FOUND", "There is no such deal", 404);
  return deal;
};

/** The steps of a deal's sagas, each of which may come again. */
export const stepActions = {
  reserveStock: action({
    visibility: "protected",
    params: { id, attempt },
    returns: costs,
    async handler(this: Deals, ctx) {
      const { id, attempt } = ctx.params;
      const deal = await there(this, id);
      if (deal.attempt !== attempt || deal.status === "open" || deal.status === "cancelled") {
        throw new Rejected("DEAL_NOT_CONFIRMING", `The deal is ${deal.status}`, 409); // whoever asks is late: its lines may be others by now
      }
      return { costs: await reserve(ctx, id, deal) };
    },
  }),
  releaseStock: action({
    visibility: "protected",
    params: { id, attempt },
    returns: nothing,
    async handler(this: Deals, ctx) {
      const { id, attempt } = ctx.params;
      await release(ctx, id, { ...(await there(this, id)), attempt });
      return {};
    },
  }),
  recordConfirmed: action({
    visibility: "protected",
    params: { id, attempt, ...costs },
    returns: nothing,
    async handler(this: Deals, ctx) {
      const { id, attempt, costs } = ctx.params;
      await this.act(ctx, id, recordConfirmed(attempt, costs as Record<string, string>), OWN);
      return {};
    },
  }),
  reopen: action({
    visibility: "protected",
    params: { id, attempt, reason: "string", code: "string" },
    returns: nothing,
    async handler(this: Deals, ctx) {
      const { id, attempt, reason, code } = ctx.params;
      await this.act(ctx, id, reopen(attempt, code, reason), OWN);
      return {};
    },
  }),
  issueStock: action({
    visibility: "protected",
    params: { id },
    returns: costs,
    async handler(this: Deals, ctx) {
      return { costs: await issue(ctx, ctx.params.id, await there(this, ctx.params.id)) };
    },
  }),
  recordFulfilled: action({
    visibility: "protected",
    params: { id, ...costs },
    returns: nothing,
    async handler(this: Deals, ctx) {
      await this.act(ctx, ctx.params.id, recordFulfilled(ctx.params.costs as Record<string, string>), OWN);
      return {};
    },
  }),
  recordCancelled: action({
    visibility: "protected",
    params: { id },
    returns: nothing,
    async handler(this: Deals, ctx) {
      await this.act(ctx, ctx.params.id, recordCancelled(), OWN);
      return {};
    },
  }),
  takeBackStock: action({
    visibility: "protected",
    params: { id, return: "string" },
    returns: nothing,
    async handler(this: Deals, ctx) {
      const deal = await there(this, ctx.params.id);
      const back = deal.returns.find(({ id }) => id === ctx.params.return);
      if (back) await takeBack(ctx, ctx.params.id, back);
      return {};
    },
  }),
  recordReturned: action({
    visibility: "protected",
    params: { id, return: "string" },
    returns: nothing,
    async handler(this: Deals, ctx) {
      await this.act(ctx, ctx.params.id, recordReturned(ctx.params.return), OWN);
      return {};
    },
  }),
};
