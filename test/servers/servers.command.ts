import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { install, missing, SHELF } from "./install.ts";
import { type Server, startServer } from "./start.ts";

const USAGE = `npm run servers                 installs NATS, Redis and MongoDB (or what speaks its protocol) where it can, and
                                starts them on their own ports of 127.0.0.1, with data under ~/.cache/banyan
npm run servers -- --install    installs only, and ends with 1 where something could not be had`;

const PORTS = { nats: 4222, mongo: 27017, redis: 6379 } as const;

const { values } = parseArgs({ options: { install: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const failed = await install((line) => console.log(line));
for (const [name, why] of Object.entries(failed)) console.error(`${name}: ${why}`);
if (values.install) {
  if (missing().length === 0) console.log("NATS, MongoDB's protocol and Redis are here");
  process.exit(missing().length > 0 ? 1 : 0);
}

const running: Server[] = [];
for (const [name, port] of Object.entries(PORTS) as [keyof typeof PORTS, number][]) {
  if (missing().includes(name)) continue;
  const folder = join(SHELF, "data", name);
  mkdirSync(folder, { recursive: true });
  const server = await startServer(name, { port, folder }).catch((error: Error) => console.error(`${name}: ${error.message}`));
  if (server) running.push(server);
}
const of = (name: string) => running.find((server) => server.name === name)?.url;
console.log(`They run until Ctrl+C. In another terminal:

  export TRANSPORTER=${of("nats") ?? "nats://…"} MONGO_URL=${of("mongo") ?? "mongodb://…"} REDIS_URL=${of("redis") ?? "redis://…"}
  npm start
`);
const stop = async () => {
  await Promise.all(running.map((server) => server.end()));
  process.exit(0);
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
