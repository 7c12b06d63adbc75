import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { METRICS_TYPE, reporterOf } from "./metrics.ts";
import { listen, urlOf } from "./port.ts";
import { readinessOf } from "./readiness.ts";

export interface Status {
  url: string;
  /** From now on this node is not ready: it has begun to stop. */
  deny(): void;
  close(): void;
}

const JSON_TYPE = "application/json; charset=utf-8";
const TIMEOUTS = { headersTimeout: 5_000, requestTimeout: 5_000, keepAliveTimeout: 30_000 };

/**
 * Tells whoever keeps this process how it is, whether it has a door or not: the same `/health/live`, `/health/ready` and
 * `/metrics` as the gateway's, on a port of their own, from before the rooms start until after they have stopped.
 */
export const tellStatus = async (broker: ServiceBroker, host: string, port: number): Promise<Status> => {
  let stopping = false;
  const pages: Record<string, () => Promise<[status: number, type: string, body: string]>> = {
    "/health/live": async () => [200, JSON_TYPE, '{"live":true}'],
    "/health/ready": async () => {
      const readiness = await readinessOf(broker, stopping);
      return [readiness.ready ? 200 : 503, JSON_TYPE, JSON.stringify(readiness)];
    },
    "/metrics": async () => [200, METRICS_TYPE, (await reporterOf(broker)?.text()) ?? ""],
  };
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const page = Object.hasOwn(pages, req.url!) && req.method === "GET" ? pages[req.url!]! : undefined;
    const [status, type, body] = page ? await page() : [404, JSON_TYPE, "{}"];
    res.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body), "Cache-Control": "no-store" }).end(body);
  };
  const server = createServer(TIMEOUTS, (req, res) => {
    answer(req, res).catch((error) => {
      broker.logger.error({ event: "status-failed", err: error }, "status-failed");
      res.destroy();
    });
  });
  await listen(server, host, port, "STATUS_PORT");
  return {
    url: urlOf(server)!,
    deny() {
      stopping = true;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
};
