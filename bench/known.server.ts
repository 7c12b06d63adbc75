import type { ServiceSchema } from "moleculer";
import { freeze } from "../mixins/core/freeze.ts";
import { action } from "../mixins/core/params.ts";
import { ANYONE } from "../mixins/core/policy.ts";
import { allRooms, startNode } from "../mixins/runtime/node.ts";
import { seedDeal } from "./deals.ts";

/** Banyan with one room more, which answers one deal to whoever may read deals, and the same to anyone. */
const { lines, ...header } = seedDeal(0);
const deal = freeze({ version: 1, status: "open", ...header, lines, returns: [], notes: [] });

const room = {
  name: "window",
  version: 1,
  actions: {
    known: action({ rest: "GET /known", visibility: "published", permission: "deals.read", params: {}, returns: {}, handler: () => deal }),
    open: action({ rest: "GET /open", visibility: "published", permission: ANYONE, params: {}, returns: {}, handler: () => deal }),
  },
} satisfies ServiceSchema;

await startNode({ rooms: allRooms(), others: [room] });
