import "reflect-metadata"; // the library asks for it, and does not bring it
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { ROOM_URI } from "./node-identity.ts";

const CURVE = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY = 86_400_000;
const LASTS = { ca: 3_650, leaf: 365 } as const; // days
/** A certificate that ends within so many milliseconds is worth renewing. */
export const SOON = 30 * DAY;

/** Whom a certificate is for. */
export interface Holder {
  readonly name: string;
  /** Names and addresses under which it may serve. */
  readonly hosts: readonly string[];
  /** Those that a node may run, `*` for all; a server is no node and has none. */
  readonly rooms: readonly string[];
}

/** A new private key, as PEM. */
export const newKey = async (): Promise<string> => {
  const { privateKey } = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY")}\n`;
};

const keysOf = async (pem: string): Promise<webcrypto.CryptoKeyPair> => {
  const secret = createPrivateKey(pem);
  return {
    privateKey: secret.toCryptoKey(CURVE, true, ["sign"]),
    publicKey: createPublicKey(secret).toCryptoKey(CURVE, true, ["verify"]),
  };
};

const serial = () => `5${randomBytes(15).toString("hex")}`; // positive, and without a zero that would have to be left out

const from = () => new Date(Date.now() - 3_600_000); // clocks differ
const until = (days: number) => new Date(Date.now() + days * DAY);

/** The authority's own certificate, which all others rest on, for so many days. */
export const authority = async (key: string, days: number = LASTS.ca): Promise<string> => {
  const keys = await keysOf(key);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: "CN=Banyan development CA",
    notBefore: from(),
    notAfter: until(days),
    signingAlgorithm: CURVE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pemOf(made);
};

/** A certificate for the key, signed by the authority. It ends no later than the authority does. */
export const issue = async (ca: { key: string; certificate: string }, key: string, holder: Holder): Promise<string> => {
  const issuer = new x509.X509Certificate(ca.certificate);
  const { publicKey } = await keysOf(key);
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [holder.name] }],
    issuer: issuer.subject,
    notBefore: from(),
    notAfter: new Date(Math.min(until(LASTS.leaf).getTime(), issuer.notAfter.getTime())),
    signingAlgorithm: CURVE,
    publicKey,
    signingKey: (await keysOf(ca.key)).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(namesOf(holder)),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return pemOf(made);
};

const IP = /^[\d.]+$|:/;

/** Where it serves, and, for nodes, who it is (`banyan://node/…`) and what it may run. */
const namesOf = ({ name, hosts, rooms }: Holder): x509.JsonGeneralNames => {
  const all = new Set(["localhost", "127.0.0.1", "::1", ...hosts]);
  const names: x509.JsonGeneralNames = [...all].map((value) => ({ type: IP.test(value) ? "ip" : "dns", value }));
  if (rooms.length === 0) return names;
  const uris = [`banyan://node/${name}`, ...rooms.map((room) => ROOM_URI + room)];
  return [...names, ...uris.map((value) => ({ type: "url", value }) as const)];
};

const pemOf = (certificate: x509.X509Certificate) => `${certificate.toString("pem")}\n`;

/** When a certificate ends, and for whom it is. */
export const readCertificate = (pem: string): { ends: number; hosts: string[]; rooms: string[] } => {
  const certificate = new x509.X509Certificate(pem);
  const { items } = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names ?? { items: [] };
  const hosts = items.filter(({ type }) => type === "dns" || type === "ip").map(({ value }) => value);
  const rooms = items.flatMap(({ value }) => (value.startsWith(ROOM_URI) ? [value.slice(ROOM_URI.length)] : []));
  return { ends: certificate.notAfter.getTime(), hosts, rooms };
};
