import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { Service, ServiceSchema } from "moleculer";
import { METRICS_TYPE } from "./metrics.ts";
import { listen } from "./port.ts";

/** Its own version of the client: 11, of 2018. */
interface Client {
  Registry: new () => { metrics(): string };
}

interface Gauge {
  reset(): void;
}

interface Exporter {
  server: Server;
  client: Client;
  register: { metrics(): string };
  metrics: Record<string, Gauge>;
  createMetrics(definitions: object): void;
  updateCommonValues(): Promise<void>;
}

type Holder = Service & Exporter;

const load = createRequire(import.meta.url); // neither has types
const mixin = load("moleculer-prometheus") as ServiceSchema & { settings: { metrics: Record<string, object> } };
const client = createRequire(load.resolve("moleculer-prometheus"))("prom-client") as Client;
const COUNTED = /^moleculer_(nodes|services|actions|events|\w+_endpoints)(_total)?$/;
const definitions = Object.fromEntries(Object.entries(mixin.settings.metrics).filter(([name]) => COUNTED.test(name)));

/**
 * `moleculer-prometheus`, which counts the nodes, services and endpoints of a cluster as one node sees them, behind a server of
 * ours: its own listens on all interfaces, and what it does with calls and the process each node tells of itself. What has gone is not
 * told any more, which its gauges would.
 */
export const exporter = (host: string, port: number): ServiceSchema => ({
  ...mixin,
  settings: {},
  events: {},
  created() {},
  async started() {
    const self = this as unknown as Holder;
    self.client = client;
    self.register = new client.Registry();
    self.createMetrics(definitions);
    self.server = createServer(async (req, res) => {
      if (req.url !== "/metrics" || req.method !== "GET") return res.writeHead(404).end();
      try {
        for (const gauge of Object.values(self.metrics)) gauge.reset();
        await self.updateCommonValues();
        res.writeHead(200, { "Content-Type": METRICS_TYPE }).end(self.register.metrics());
      } catch (error) {
        self.logger.error({ event: "export-failed", err: error });
        res.writeHead(503).end();
      }
    });
    await listen(self.server, host, port, "--port");
  },
  async stopped() {
    const { server } = this as unknown as Holder;
    server.close();
    server.closeAllConnections();
  },
});
