import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectPlain } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer } from "node:tls";
import { connect, type ConnectionOptions, nkeyAuthenticator, type NatsConnection } from "nats";
import { freePort, startServer } from "../servers/start.ts";
import { type Certs, makeCerts } from "../support/certs.ts";
import { without } from "../support/cluster.ts";
import { ask } from "../support/http.ts";
import { startMember } from "../support/members.ts";
import { until } from "../support/other-node.ts";
import { folder, run } from "../support/system.ts";
import { deal } from "../support/trade.ts";

const skip = without("nats");

/** A NATS that asks for certificates and nkeys of these nodes. */
const guarded = async (t: TestContext, args: readonly string[]) => {
  const certs = await makeCerts(folder(t), args);
  const server = await startServer("nats", { args: certs.nats });
  t.after(() => server.stop());
  return { certs, server, url: server.url.replace("nats:", "tls:") };
};

/** How a node connects, part by part. */
const asNode = (certs: Certs, name: string): Pick<Required<ConnectionOptions>, "tls" | "authenticator"> => {
  const { TLS_CA_FILE, TLS_CERT_FILE, TLS_KEY_FILE, NATS_NKEY_FILE } = certs.node(name);
  return {
    tls: { caFile: TLS_CA_FILE, certFile: TLS_CERT_FILE, keyFile: TLS_KEY_FILE },
    authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(NATS_NKEY_FILE, "utf8").trim())),
  };
};

const open = async (t: TestContext, servers: string, options: ConnectionOptions): Promise<NatsConnection> => {
  const connection = await connect({ servers, reconnect: false, ...options });
  t.after(() => connection.close());
  return connection;
};

/** Which of the subjects a connection may not publish to, or listen to. */
const refused = async (connection: NatsConnection, verb: "publish" | "subscribe", subjects: string[]): Promise<string[]> => {
  const told: string[] = [];
  void (async () => {
    for await (const { type, data } of connection.status()) if (type === "error") told.push(String(data));
  })();
  for (const subject of subjects) {
    if (verb === "publish") connection.publish(subject, "{}");
    else connection.subscribe(subject);
  }
  const errors: string[] = [];
  await connection.flush(); // what NATS says against them comes before its answer to this
  errors.push(...told);
  return subjects.filter((subject) => errors.some((error) => error.includes(`"${subject}"`)));
};
