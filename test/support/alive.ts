import { after } from "node:test";
import type { BrokerOptions } from "moleculer";

/**
 * Rooms wait by timers that keep no process, and Moleculer stops a broker whose process has nothing else to do: in the middle of a test.
 * For a broker in a test, which ends with the file's last one.
 */
export const quietBroker = (): BrokerOptions => {
  const alive = setInterval(() => {}, 60_000);
  after(() => clearInterval(alive));
  return { logger: false, skipProcessEventRegistration: true };
};
