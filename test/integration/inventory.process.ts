import { ServiceBroker } from "moleculer";
import inventory from "../../services/inventory/inventory.service.ts";

/** The inventory room in a process of its own, which makes the calls that its parent sends and says what came of them. */
const broker = new ServiceBroker({ logger: false });
broker.createService(inventory);
await broker.start();
process.on("message", async ({ n, action, params }: { n: number; action: string; params: object }) => {
  const said = await broker.call(action, params).then(
    (answer) => ({ n, answer }),
    (error) => ({ n, error: error.type }),
  );
  process.send!(said);
});
process.on("disconnect", async () => {
  await broker.stop();
  process.exit(0);
});
process.send!({ n: 0 });
