import { type Break, breakDriver } from "./broken.ts";
import { injectFaults } from "./faults.ts";

/** One process of the system under attack: a whole node with its gateway, which says where it serves and lives no longer than its parent. */
export interface NodeSettings {
  /** Makes the store fail: one in so many commits, chosen from the seed. */
  faults?: { seed: number; rate: number };
  /** Makes the node wrong on purpose. */
  broken?: Break;
}

const { faults, broken } = JSON.parse(process.argv[2] ?? "{}") as NodeSettings;
process.on("disconnect", () => process.exit(0));
const switchOn = faults && injectFaults(faults.seed, faults.rate); // before a room prepares its statements
if (broken) await breakDriver(broken);
const { startNode } = await import("../../mixins/runtime/node.ts");
const node = await startNode();
switchOn?.();
process.send!({ url: node.url });
process.on("SIGTERM", async () => {
  await node.stop();
  process.exit(0);
});
