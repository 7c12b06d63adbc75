import type { ConnectionOptions } from "nats";

/** A connection that has said nothing for so long is asked, and given up when it has not answered twice: dead after 3 s. */
const PING = { pingInterval: 1_000, maxPingOut: 2 } as const;
/** Milliseconds between two attempts to come back, and what chance adds so that not all nodes come at once. */
const AGAIN = { reconnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 100, reconnectJitter: 100 } as const;
/**
 * How this process connects to NATS: `address` is one or more of `nats://user:password@host:port`, separated by commas, of one
 * cluster; a user without a password is a token. Where one server goes, the connection moves to the next, and it tries for ever.
 */
export const natsOptions = (address: string, name: string): ConnectionOptions => {
  const urls = address.split(",").map((one) => new URL(one.trim()));
  const known = urls.find(({ username }) => username !== "");
  return {
    servers: urls.map(({ host }) => host),
    name,
    ...(known && credentials(known)),
    ...PING,
    ...AGAIN,
    timeout: 2_000,
    ignoreAuthErrorAbort: true, // a server that comes back before its accounts do is asked again
  };
};

const credentials = ({ username, password }: URL): ConnectionOptions => {
  const user = decodeURIComponent(username);
  return password === "" ? { token: user } : { user, pass: decodeURIComponent(password) };
};
