import { resolve } from "node:path";
import type { ServiceSchema } from "moleculer";
import { answerCalls } from "./child.calls.ts";
import { HOUSE } from "./system.ts";

/** A node in a process of its own: rooms of the house, and rooms of tests by their modules. It lives no longer than its parent, and ends as `start.ts` does. */
const { rooms, modules } = JSON.parse(process.argv[2]!) as { rooms: string[]; modules: string[] };
const { startNode } = await import("../../mixins/runtime/node.ts");
const others = await Promise.all(
  modules.map(async (module) => ((await import(resolve(HOUSE, module))) as { default: ServiceSchema }).default),
);
const node = await startNode({ rooms, others });
process.on("SIGTERM", async () => {
  process.send!({ stopping: true });
  await node.stop();
  process.exit(0);
});
process.on("disconnect", () => process.exit(1));
await answerCalls(node.broker);
process.send!({ url: node.url });
