import type { ServiceBroker } from "moleculer";

/** The rooms within reach whose services say in their metadata that they have a feature (`sagas`, `follows`), by name. */
export const roomsWith = (broker: ServiceBroker, feature: string): string[] =>
  (broker.registry.getServiceList({ onlyAvailable: true }) as { name: string; metadata?: Record<string, unknown> }[])
    .filter(({ metadata }) => metadata?.[feature])
    .map(({ name }) => name)
    .sort();
