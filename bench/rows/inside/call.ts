import { startNode } from "../../../mixins/runtime/node.ts";
import { OPERATOR } from "../../../mixins/trust/operator.ts";
import { dealRequest } from "../../deals.ts";
import { printRounds, type Work } from "./rounds.ts";

/** An action called in its own process, one call after the other, beside an async function that finds the same in a Map. */
const BATCH = 100; // calls between two looks at the clock

const node = await startNode({ rooms: ["customers", "products", "inventory", "deals"], quiet: true });
const asked = { meta: { user: OPERATOR } };
const deal = (await node.broker.call("v1.deals.open", dealRequest(1, 3), asked)) as { id: string };
const { id } = deal;
const deals = new Map([[id, deal]]);
const find = async (params: { id: string }) => deals.get(params.id);

const batches =
  (get: () => Promise<unknown>): Work =>
  async (again, took) => {
    while (again()) {
      const start = performance.now();
      for (let n = 0; n < BATCH; n++) if (((await get()) as typeof deal).id !== id) throw new Error("a wrong answer");
      const each = (performance.now() - start) / BATCH;
      for (let n = 0; n < BATCH; n++) took(each);
    }
  };

await printRounds("call", {
  banyan: batches(() => node.broker.call("v1.deals.get", { id }, asked)),
  function: batches(() => find({ id })),
});
await node.stop();
