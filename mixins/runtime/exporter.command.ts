import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "./refused.ts";

const USAGE = `npm run exporter [-- --port 3030]

Joins the cluster and tells Prometheus how many nodes, services and endpoints there are: http://127.0.0.1:3030/metrics.
It listens on HOST (127.0.0.1), runs no room, and one of it is enough. Each node tells the rest of itself.`;

const run = async () => {
  const { values } = parseArgs({ options: { port: { type: "string", default: "3030" }, help: { type: "boolean", short: "h" } } });
  if (values.help) return console.log(USAGE);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Refused(`--port must be a port, not "${values.port}"`);
  const { config } = await import("./config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  if (!config.transporter) throw new Refused("TRANSPORTER is not set: there is no cluster to tell of");
  const [{ exporter }, { startNode }, { log }] = await Promise.all([import("./exporter.ts"), import("./node.ts"), import("./logger.ts")]);
  const node = await startNode({ rooms: [], others: [exporter(config.host, port)] });
  const stop = async () => {
    await node.stop();
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  log.info({ event: "exporting", host: config.host, port });
};

await run().catch((error: Error) => exitFor(isMisuse(error) ? new Refused(`${error.message}\n${USAGE}`) : error));
