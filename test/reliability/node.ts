import { type Break, breakDriver } from "./broken.ts";
import { injectFaults } from "./faults.ts";

/** One process of the system under attack: a whole node with its gateway, which says where it serves and lives no longer than its parent. */
export interface NodeSettings {
  /** What it runs; all rooms where nothing is said. */
  rooms?: readonly string[];
  /** Makes the store fail: one in so many commits, chosen from the seed. */
  faults?: { seed: number; rate: number };
  /** Makes the node wrong on purpose. */
  broken?: Break;
}

const { rooms, faults, broken } = JSON.parse(process.argv[2] ?? "{}") as NodeSettings;
process.on("disconnect", () => process.exit(0));
const switchOn = faults && injectFaults(faults.seed, faults.rate); // before a room prepares its statements
if (broken) await breakDriver(broken);
const { startNode } = await import("../../mixins/runtime/node.ts");
const node = await startNode({ rooms });
switchOn?.();
process.send!({ url: node.url });
/** The views are made anew while they serve, as an operator would have it, who has no door for that. */
process.on("message", ({ rebuild }: { rebuild: string }) => {
  node.broker.call(`v1.${rebuild}.rebuild`).catch((error: { code?: number; type?: string; stack?: string }) => {
    const { code = 500, type, stack } = error;
    if (code >= 500 && code !== 503 && type !== "REQUEST_TIMEOUT") process.send!({ failed: `rebuild of ${rebuild}: ${type} ${stack}` });
  });
});
process.on("SIGTERM", async () => {
  await node.stop();
  process.exit(0);
});
