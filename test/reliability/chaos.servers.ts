import { setTimeout as delay } from "node:timers/promises";
import { connect } from "nats";
import { freePort, type Server, startServer } from "../servers/start.ts";

/** The servers of a cluster under attack: three of NATS as one, so that one may be killed, the database, and Redis. */
export interface Servers {
  readonly nats: readonly Server[];
  readonly mongo: Server;
  readonly redis: Server;
  /** Resolves when each NATS server has what the others have. */
  healthy(): Promise<void>;
  stop(): Promise<void>;
}

export const NATS_SERVERS = 3;
const PATIENCE = 60_000;
const PROBE = { name: "probe", subjects: ["probe"], num_replicas: NATS_SERVERS } as const;

export const startServers = async (): Promise<Servers> => {
  const ports = await Promise.all(Array.from({ length: NATS_SERVERS * 2 }, freePort));
  const [routes, monitors] = [ports.slice(0, NATS_SERVERS), ports.slice(NATS_SERVERS)];
  const all = routes.map((port) => `nats://127.0.0.1:${port}`).join();
  const started: Server[] = [];
  const start = async (...of: Parameters<typeof startServer>) => {
    const server = await startServer(...of);
    started.push(server);
    return server;
  };
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
  };
  const healthy = async () => {
    for (const since = Date.now(); ; await delay(50)) {
      const answers = await Promise.allSettled(monitors.map((port) => fetch(`http://127.0.0.1:${port}/healthz`)));
      if (answers.every((answer) => answer.status === "fulfilled" && answer.value.ok)) return;
      if (Date.now() - since > PATIENCE) throw new Error("The NATS servers did not come together again");
    }
  };
  try {
    // a client must not be told of the servers themselves, or it would go past the bad network
    const clustered = (n: number) => [
      ...["--server_name", `n${n}`, "--cluster_name", "chaos", "--cluster", `nats://127.0.0.1:${routes[n]}`],
      ...["--routes", all, "--no_advertise=true", "-m", String(monitors[n])],
    ];
    const nats = await Promise.all(routes.map((_, n) => start("nats", { args: clustered(n) })));
    const [mongo, redis] = await Promise.all([start("mongo"), start("redis")]);
    await healthy();
    await canReplicate(nats[0]!.url);
    return { nats, mongo, redis, healthy, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** Servers that are together take a moment to agree on who leads. */
const canReplicate = async (url: string) => {
  const nc = await connect({ servers: url });
  for (const since = Date.now(); ; await delay(50)) {
    try {
      const manager = await nc.jetstreamManager({ timeout: 2_000 });
      await manager.streams.add(PROBE as never);
      await manager.streams.delete(PROBE.name);
      return await nc.close();
    } catch (error) {
      if (Date.now() - since > PATIENCE) throw error;
    }
  }
};
