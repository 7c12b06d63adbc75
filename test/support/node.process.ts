import { resolve } from "node:path";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { answerCalls } from "./child.calls.ts";

/** A node in a process of its own, with the rooms whose modules it is told; makes the calls that its parent sends, and says what came of them. */
const broker = new ServiceBroker({ logger: false });
for (const module of process.argv.slice(2)) {
  const { default: room } = (await import(resolve(import.meta.dirname, "../..", module))) as { default: ServiceSchema };
  broker.createService(room);
}
await broker.start();
await answerCalls(broker);
process.on("disconnect", async () => {
  await broker.stop();
  process.exit(0);
});
process.send!({ n: 0 });
