import { resolve } from "node:path";
import type { ServiceSchema } from "moleculer";
import { HOUSE } from "./system.ts";

/** A node in a process of its own: rooms of the house, and rooms of tests by their modules. It lives no longer than its parent, and ends as `start.ts` does. */
const { rooms, modules } = JSON.parse(process.argv[2]!) as { rooms: string[]; modules: string[] };
const { startNode } = await import("../../mixins/runtime/node.ts");
const others = await Promise.all(
  modules.map(async (module) => ((await import(resolve(HOUSE, module))) as { default: ServiceSchema }).default),
);
const node = await startNode({ rooms, others });
process.on("SIGTERM", async () => {
  await node.stop();
  process.exit(0);
});
process.on("disconnect", () => process.exit(1));
process.on("message", async ({ n, action, params }: { n: number; action: string; params: object }) => {
  const said = await node.broker.call(action, params).then(
    (answer) => ({ n, answer }),
    ({ type, code, message }) => ({ n, error: { type, code, message } }),
  );
  process.send!(said);
});
process.send!({ url: node.url });
