import { readFileSync } from "node:fs";
import { checkServerIdentity, createSecureContext, type PeerCertificate } from "node:tls";
import { config } from "../runtime/config.ts";

const NODE = /(^|, )URI:"?banyan:\/\/node\//;

/** Throws nothing, answers what is wrong. A node's certificate is of the same authority as the servers' and must not pass for one: a node that is taken over would be all of them. */
const identity = (host: string, certificate: PeerCertificate): Error | undefined =>
  NODE.test(certificate.subjectaltname ?? "")
    ? new Error("what answers there shows a node's certificate, and is no server")
    : checkServerIdentity(host, certificate);

/** A server of a cluster may be known by any of the names that we have been given for them. */
export const identityOf =
  (hosts: readonly string[]) =>
  (_: string, certificate: PeerCertificate): Error | undefined => {
    const wrong = hosts.map((host) => identity(host, certificate));
    return wrong.includes(undefined) ? undefined : wrong[0];
  };

/** How this process speaks TLS as a client: with its own certificate where it has one, and to whom the authority vouches for; where none is named, those do that Node trusts. */
export const clientTls = () => ({
  checkServerIdentity: identity,
  secureContext: createSecureContext({
    minVersion: "TLSv1.2",
    ca: read(config.tlsCaFile),
    cert: read(config.tlsCertFile),
    key: read(config.tlsKeyFile),
  }),
});

const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
