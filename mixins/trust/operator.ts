import type { CallingOptions, ServiceBroker } from "moleculer";
import type { User } from "../core/context.ts";

/** Whoever starts a process on the rooms' own stores: he could read and change all of it by hand. */
export const OPERATOR: User = Object.freeze({ id: "operator", roles: Object.freeze(["admin"]) });

/** The broker as this user calls on it. */
export const actingAs = (user: User, broker: ServiceBroker): ServiceBroker => {
  const call = (action: string, params?: object, options?: CallingOptions) =>
    broker.call(action, params ?? {}, { ...options, meta: { user, ...options?.meta } });
  return Object.create(broker, { call: { value: call } });
};
