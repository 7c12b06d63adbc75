import type { TestContext } from "node:test";
import { type BrokerOptions, ServiceBroker, type ServiceSchema } from "moleculer";
import { NatsTransporter } from "../../mixins/bus/nats.transporter.ts";
import { log } from "../../mixins/runtime/logger.ts";
import settings from "../../moleculer.config.ts";
import { until } from "./other-node.ts";
import parrot from "./parrot.service.ts";

/** A node's bus, to look at it from within and to break it. */
export const busOf = (broker: ServiceBroker): NatsTransporter => broker.transit!.tx as NatsTransporter;

/** A node of a cluster in this process, on this NATS, with its settings; it ends with the test. */
export const startBroker = async (
  t: TestContext,
  address: string,
  nodeID: string,
  services: ServiceSchema[] = [parrot],
  over: Partial<BrokerOptions> = {},
): Promise<ServiceBroker> => {
  log.level = "fatal";
  const broker = new ServiceBroker({
    ...settings,
    namespace: "tested",
    nodeID,
    transporter: new NatsTransporter(address),
    registry: { ...settings.registry, preferLocal: false },
    circuitBreaker: { ...settings.circuitBreaker, enabled: true },
    skipProcessEventRegistration: true,
    ...over,
  });
  for (const schema of services) broker.createService(schema);
  await broker.start();
  t.after(() => broker.stop());
  return broker;
};

/** Resolves when a broker knows so many nodes that answer an action. */
export const knows = (broker: ServiceBroker, action: string, many: number): Promise<unknown> =>
  until(() => {
    const known = broker.registry.getActionEndpoints(action) as unknown as { endpoints: { isAvailable: boolean }[] } | undefined;
    return (known?.endpoints.filter(({ isAvailable }) => isAvailable).length ?? 0) === many;
  });
