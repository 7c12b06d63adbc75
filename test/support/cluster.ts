import { after } from "node:test";
import type { Outbox } from "../../mixins/storage/outbox.ts";
import { missing, type ServerName } from "../servers/install.ts";
import { type Server, startServer } from "../servers/start.ts";

/** Why a test that needs these servers cannot run here; false where it can. */
export const without = (...names: ServerName[]): string | false => {
  const lacking = missing().filter((name) => names.includes(name));
  return lacking.length > 0 && `${lacking.join(" and ")} not installed: npm run servers -- --install`;
};

let made = 0;

/**
 * Sets this process up for the cluster's stores, before anything reads the configuration: on the servers that the
 * environment names, else on some of the test file's own, which end with it. Each call is a namespace of its own.
 */
export const useServers = async <N extends ServerName>(...names: N[]): Promise<Record<N, Server | undefined>> => {
  const variables = { nats: "TRANSPORTER", mongo: "MONGO_URL", redis: "REDIS_URL" } as const;
  const started: Partial<Record<ServerName, Server>> = {};
  for (const name of names) {
    if (process.env[variables[name]]) continue;
    const server = await startServer(name);
    started[name] = server;
    process.env[variables[name]] = server.url;
    after(() => server.stop());
  }
  process.env.TRANSPORTER ??= "nats://127.0.0.1:1"; // one variable asks for the other; nobody listens there
  process.env.MONGO_URL ??= "mongodb://127.0.0.1:1";
  process.env.NAMESPACE = `t${process.pid.toString(36)}-${Date.now().toString(36).slice(-5)}${++made}`;
  return started as Record<N, Server | undefined>;
};

/** Whether a room's events are all on their way to those who follow them; embedded they are at once. */
export const allCarried = async (store: object): Promise<boolean> => {
  const { unpublished } = store as Partial<Outbox>;
  return !unpublished || (await unpublished.call(store, Number.MAX_SAFE_INTEGER, 1)).length === 0;
};
