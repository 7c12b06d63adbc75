import { action } from "../../mixins/core/params.ts";
import { dealId } from "../../services/deals/deals.params.ts";
import deals from "../../services/deals/deals.service.ts";

/** The deals room, which also says on which node a deal lives. */
export default {
  ...deals,
  actions: {
    ...deals.actions,
    place: action({
      rest: "GET /:id/place",
      visibility: "published",
      permission: "anyone",
      params: { id: dealId },
      returns: { node: "string" },
      handler: (ctx) => ({ node: ctx.broker.nodeID }),
    }),
  },
};
