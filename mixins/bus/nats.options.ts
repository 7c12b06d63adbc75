import { type ConnectionOptions, nkeyAuthenticator, type TlsOptions } from "nats";
import { config } from "../runtime/config.ts";
import { identityOf } from "../trust/client.tls.ts";
import { inboxOf } from "./nats.users.ts";

/** A connection that has said nothing for so long is asked, and given up when it has not answered twice: dead after 3 s. */
const PING = { pingInterval: 1_000, maxPingOut: 2 } as const;
/** Milliseconds between two attempts to come back, and what chance adds so that not all nodes come at once. */
const AGAIN = { reconnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 100, reconnectJitter: 100 } as const;

/**
 * How this process connects to NATS: `address` is one or more of `nats://user:password@host:port`, separated by commas, of one
 * cluster; a user without a password is a token; with `tls://` what goes there is encrypted. Where one server goes, the connection moves to the next, and it
 * tries for ever.
 */
export const natsOptions = (address: string, name: string): ConnectionOptions => {
  const urls = address.split(",").map((one) => new URL(one.trim()));
  const known = urls.find(({ username }) => username !== "");
  return {
    servers: urls.map(({ host }) => host),
    name,
    ...(known && credentials(known)),
    ...(config.natsNkey && identified(config.natsNkey)),
    ...(address.startsWith("tls:") && { tls: encrypted(urls.map(({ hostname }) => hostname)) }),
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

/** Its answers reach it where no other node may listen. */
const identified = (seed: string): ConnectionOptions => ({
  authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
  inboxPrefix: inboxOf(seed),
});

/** The client reads the files each time that it connects, so it has those that were renewed. */
const encrypted = (hosts: readonly string[]): TlsOptions => {
  const options = {
    minVersion: "TLSv1.2",
    checkServerIdentity: identityOf(hosts.map((host) => host.replace(/^\[(.*)\]$/, "$1"))),
    caFile: config.tlsCaFile,
    certFile: config.tlsCertFile,
    keyFile: config.tlsKeyFile,
  };
  return options as TlsOptions;
};
