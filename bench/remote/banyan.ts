import type { ServiceSchema } from "moleculer";
import { Rejected } from "../../mixins/core/errors.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { startNode } from "../../mixins/runtime/node.ts";
import { makeRounds } from "./caller.ts";
import { findSummary, type Summary } from "./summaries.ts";

/** A node of Banyan's for the remote rows, as its argument says: the room that answers, the one of deals and what it asks, the gateway before it, or one that calls. */
const room: ServiceSchema = {
  name: "echo",
  version: 1,
  actions: {
    get: action({
      rest: "GET /:id",
      visibility: "published",
      permission: "anyone",
      params: { id },
      returns: { id, version: "number", status: "string" },
      handler(ctx) {
        const found = findSummary(ctx.params.id);
        if (!found) throw new Rejected("ECHO_NOT_FOUND", "There is no such deal", 404);
        return found;
      },
    }),
  },
};

const caller: ServiceSchema = { name: "caller", version: 1 };

const role = process.argv[2];
if (role === "gateway") await startNode({ rooms: ["gateway"] });
else if (role === "deals") {
  await startNode({ rooms: ["deals", "inventory", "products"] });
  process.send!({ ready: true });
} else {
  const { broker } = await startNode({ rooms: [], others: [role === "room" ? room : caller] });
  if (role === "caller") {
    await broker.waitForServices("v1.echo");
    makeRounds((id) => broker.call<Summary, { id: string }>("v1.echo.get", { id }));
  } else process.send!({ ready: true });
}
setInterval(() => {}, 2 ** 30); // nothing else keeps a node without a door
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
