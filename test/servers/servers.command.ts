import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkers } from "./checkers.ts";
import { missing, recipes, type ServerName } from "./install.ts";
import { installAll, SHELF } from "./recipe.ts";
import { answers, type Server, startServer, urlOf } from "./start.ts";

const USAGE = `npm run servers                 installs NATS, Redis and MongoDB (or what speaks its protocol) where it can, and
                                starts them on their own ports of 127.0.0.1, with data under ~/.cache/banyan
npm run servers -- --install    installs only, also what the tests check the deployment's files with, and ends
                                with 1 where something could not be had`;

const PORTS = { nats: 4222, mongo: 27017, redis: 6379 } as const;
const ARGS = {
  nats: ["-c", join(SHELF, "nats.conf")],
  mongo: [],
  redis: ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"],
} as const;
const VARIABLES = { nats: "TRANSPORTER", mongo: "MONGO_URL", redis: "REDIS_URL" } as const;

const typed = () => {
  try {
    return parseArgs({ options: { install: { type: "boolean" }, help: { type: "boolean", short: "h" } } }).values;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
};
const values = typed();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const wanted = values.install ? { ...recipes, ...checkers } : recipes;
const failed = Object.entries(await installAll(Object.values(wanted), (line) => console.log(line)));
for (const [name, why] of failed) console.error(`${name}: ${why}`);
if (values.install) {
  if (failed.length === 0) console.log(`These are here: ${Object.keys(wanted).join(", ")}`);
  process.exit(failed.length > 0 ? 1 : 0);
}

mkdirSync(SHELF, { recursive: true });
writeFileSync(join(SHELF, "nats.conf"), "max_payload: 8MB\n"); // a request of 1 MB, and what goes around it

const running: Server[] = [];
const stop = async () => {
  await Promise.all(running.map((server) => server.end()));
  process.exit(0);
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);

const urls: string[] = [];
for (const [name, port] of Object.entries(PORTS) as [ServerName, number][]) {
  if (missing().includes(name)) continue;
  const taken = await answers(port);
  if (taken) console.log(`${name}: something answers on ${port} already, and is left as it is`);
  const folder = join(SHELF, "data", name);
  mkdirSync(folder, { recursive: true });
  const server = taken
    ? undefined
    : await startServer(name, { port, folder, args: ARGS[name] }).catch((error: Error) => console.error(`${name}: ${error.message}`));
  if (server) running.push(server);
  if (server || taken) urls.push(`${VARIABLES[name]}=${urlOf[name](port)}`);
}
if (running.length === 0) {
  console.error("None of them was started");
  process.exit(1);
}
console.log(`They run until Ctrl+C. In another terminal:

  export ${urls.join(" ")}
  npm run doctor
  npm start
`);
