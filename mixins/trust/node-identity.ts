import { createHash, createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { LRUCache } from "lru-cache";
import { config } from "../runtime/config.ts";
import { Refused } from "../runtime/refused.ts";
import { seedKeyOf } from "./access-token.ts";
import { SKEW } from "./clocks.ts";
import { hasMasterKey, masterKey, previousMasterKey } from "./master-key.ts";

/** Which node speaks, and which rooms it may run; of a node with the master key: all. */
export interface Caller {
  readonly node: string;
  readonly rooms: ReadonlySet<string> | typeof ALL;
}

export const ALL = "*";
/** Of a token that is for all who hear it. */
export const EVERYBODY = "*";
/** What stands in a node's certificate, once for each room that it may run: `banyan://room/deals`, or `banyan://room/*`. */
export const ROOM_URI = "banyan://room/";

const TYPE = "node+jwt";
const SECONDS = 120;
const RENEWED = 60_000; // milliseconds
const LONGEST = 4_096; // characters
const LONGEST_ID = 64; // of a node, in characters
const MOST = 5_000;

/** What this process signs with, and what it says of itself beside it. */
interface Signer {
  readonly head: object;
  readonly algorithm: null | "sha256";
  readonly key: KeyObject;
  /** Where a certificate names it: the beginning of its nodes' ids. */
  readonly name?: string;
}

const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

let own: Signer | undefined;
let looked = Number.NEGATIVE_INFINITY;

/**
 * What this process signs with: the key of its certificate (`TLS_CERT_FILE`, `TLS_KEY_FILE`), else one that follows from the master key.
 * The files are read again once a minute: a renewed certificate counts from then on. Throws `Refused` in a cluster without either.
 */
const signer = (at = Date.now()): Signer => {
  const late = Math.abs(at - looked) >= RENEWED;
  if (own && !(config.tlsCertFile && late)) return own;
  looked = at;
  own = config.tlsCertFile ? ofFiles(config.tlsCertFile, config.tlsKeyFile!, own) : ofMasterKey();
  return own;
};

/** The one before as long as the files are not what they must be: somebody may be writing them just now. */
const ofFiles = (certFile: string, keyFile: string, before: Signer | undefined): Signer => {
  try {
    const now = ofCertificate(certFile, keyFile);
    return before && before.name !== now.name ? before : now;
  } catch (error) {
    if (before) return before;
    throw error;
  }
};

const ofMasterKey = (): Signer => {
  if (!hasMasterKey())
    throw new Refused("In a cluster a node says who it is: set TLS_CERT_FILE and TLS_KEY_FILE (npm run certs), or MASTER_KEY_FILE");
  return { head: { alg: "EdDSA", typ: TYPE }, algorithm: null, key: createPrivateKey({ key: nodesKey(), format: "jwk" }) };
};

const nodesKey = (master = masterKey()) => seedKeyOf(master, "nodes' key");

const ofCertificate = (certFile: string, keyFile: string): Signer => {
  const certificate = new X509Certificate(readFileSync(certFile));
  const key = createPrivateKey(readFileSync(keyFile));
  if (!certificate.checkPrivateKey(key)) throw new Refused(`${keyFile} is not the key of ${certFile}`);
  const name = nameOf(certificate);
  if (!name || roomsOf(certificate).length === 0)
    throw new Refused(`${certFile} is no node's certificate: npm run certs -- --nodes makes them`);
  return { head: { alg: "ES256", typ: TYPE, x5c: [certificate.raw.toString("base64")] }, algorithm: "sha256", key, name };
};

const nameOf = ({ subject }: X509Certificate) => /^CN=([A-Za-z0-9_]{1,40})$/m.exec(subject)?.[1];
/** None where a name had to be quoted: a comma in it would look like the end of it. */
const roomsOf = ({ subjectAltName = "" }: X509Certificate): string[] =>
  (subjectAltName.includes('"') ? "" : subjectAltName)
    .split(", ")
    .flatMap((name) => (name.startsWith(`URI:${ROOM_URI}`) ? [name.slice(4 + ROOM_URI.length)] : []));

/** Throws `Refused` where this process could not say who it is, not under this id, or not so that others hear it. */
export const requireIdentity = (node: string): void => {
  const { name } = signer();
  if (name !== undefined && !isNamed(node, name))
    throw new Refused(`NODE_ID must be ${name} or begin with ${name}-, as its certificate says`);
  const { length } = signedToken(node, "-".repeat(LONGEST_ID), Date.now());
  if (length > LONGEST)
    throw new Refused(
      `${config.tlsCertFile} names too much: it goes along with each message, whose head would be ${length} characters long (${LONGEST} at most). Give it fewer --hosts, or *.example for all under one name`,
    );
};

/** Where a certificate names this process: how the ids of its nodes must begin. */
export const identityName = (): string | undefined => (config.tlsCertFile ? signer().name : undefined);

const isNamed = (node: string, name: string) => node === name || node.startsWith(`${name}-`);

const made = new Map<string, { token: string; at: number }>();

/** Where a node's id begins with the name in its certificate: of which name it is. */
export const nodeName = (node: string): string => node.split("-", 1)[0]!;

/**
 * What a node says of itself to another: it counts for two minutes, there and nowhere else. What all hear (`EVERYBODY`) is signed word by word: `about` is
 * what it says, or any node could say something else with it.
 */
export const nodeToken = (node: string, audience: string, at = Date.now(), about?: string): string => {
  if (about !== undefined) return signedToken(node, audience, at, about);
  const known = made.get(`${node} ${audience}`);
  if (known && at - known.at < RENEWED && at >= known.at) return known.token;
  const token = signedToken(node, audience, at);
  if (made.size >= MOST) made.clear();
  made.set(`${node} ${audience}`, { token, at });
  return token;
};

const digestOf = (about: string) => hash("sha256", about, "base64url");

const signedToken = (node: string, audience: string, at: number, about?: string): string => {
  const { head, algorithm, key } = signer(at);
  const iat = Math.floor(at / 1_000);
  const claims = {
    iss: config.issuer,
    sub: node,
    aud: audience,
    iat,
    exp: iat + SECONDS,
    ...(about !== undefined && { sha: digestOf(about) }),
  };
  const text = `${b64(head)}.${b64(claims)}`;
  const signature = sign(algorithm, Buffer.from(text), { key, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
};

/** Reads what other nodes say of themselves. What was read once is known until it expires. */
export class NodeTokens {
  readonly #node: string;
  readonly #known = new LRUCache<string, Caller & { until: number }>({ max: MOST });

  /** `node` is the one that reads. */
  constructor(node: string) {
    this.#node = node;
  }

  /** Who speaks; undefined where it is no node of ours, speaks to another one, or has said something else than `about` to all. */
  read(token: unknown, about: () => string | undefined = () => undefined, at = Date.now()): Caller | undefined {
    if (typeof token !== "string" || token.length > LONGEST) return undefined;
    const known = this.#known.get(token);
    if (known) return known.until > at ? known : undefined;
    try {
      const found = this.#verify(token, at / 1_000);
      if (found && found.sha === undefined) this.#known.set(token, found.caller);
      return found && (found.sha === undefined || found.sha === digestOf(about() ?? "")) ? found.caller : undefined;
    } catch {
      return undefined; // no JSON, no certificate, no key: whatever it is, it is no token of ours
    }
  }

  #verify(token: string, now: number): { caller: Caller & { until: number }; sha?: string } | undefined {
    const [head = "", claims = "", signature = "", ...more] = token.split(".");
    const { alg, typ, x5c } = parsed(head);
    const { iss, sub, aud, iat, exp, sha } = parsed(claims);
    if (typ !== TYPE || more.length > 0 || iss !== config.issuer || typeof sub !== "string") return undefined;
    if (aud === EVERYBODY ? typeof sha !== "string" : aud !== this.#node || sha !== undefined) return undefined;
    if (!(typeof iat === "number" && typeof exp === "number" && iat - SKEW <= now && now < exp + SKEW && exp - iat <= SECONDS))
      return undefined;
    const certificate = alg === "ES256" ? certificateIn(x5c, now * 1_000) : undefined;
    const keys = certificate ? [certificate.publicKey] : alg === "EdDSA" && hasMasterKey() ? publicNodesKeys() : [];
    const text = Buffer.from(`${head}.${claims}`);
    const signed = (key: KeyObject) =>
      verify(certificate ? "sha256" : null, text, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
    if (!keys.some(signed)) return undefined;
    const until = (exp + SKEW) * 1_000;
    const told = (caller: Caller & { until: number }) => ({ caller, ...(aud === EVERYBODY && { sha: sha as string }) });
    if (!certificate) return told({ node: sub, rooms: ALL, until });
    const [name, rooms] = [nameOf(certificate), roomsOf(certificate)];
    if (!name || !isNamed(sub, name) || rooms.length === 0) return undefined;
    const ends = Math.min(until, certificate.validToDate.getTime());
    return told({ node: sub, rooms: rooms.includes(ALL) ? ALL : new Set(rooms), until: ends });
  }
}

const parsed = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, "base64url").toString());

let nodesPublic: KeyObject[] | undefined;

/** Two while another master key takes the place of the one before: nodes that have started again and nodes that have not hear each other. */
const publicNodesKeys = () => {
  nodesPublic ??= [masterKey(), previousMasterKey()].flatMap((key) => (key ? createPublicKey({ key: nodesKey(key), format: "jwk" }) : []));
  return nodesPublic;
};

/** One that an authority of ours has made, and that counts now. */
const certificateIn = (x5c: unknown, at: number): X509Certificate | undefined => {
  const [raw] = Array.isArray(x5c) ? x5c : [];
  if (typeof raw !== "string") return undefined;
  const certificate = new X509Certificate(Buffer.from(raw, "base64"));
  const counts = certificate.validFromDate.getTime() <= at + SKEW * 1_000 && at < certificate.validToDate.getTime();
  const ours = authorities().some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
  return counts && ours && !certificate.ca && certificate.publicKey.asymmetricKeyDetails?.namedCurve === "prime256v1"
    ? certificate
    : undefined;
};

let known: { digest: string; all: X509Certificate[] } | undefined;

/** What stands in `TLS_CA_FILE`: one, or two while one follows the other. */
const authorities = (): X509Certificate[] => {
  if (!config.tlsCaFile) return [];
  const text = readFileSync(config.tlsCaFile, "utf8");
  const digest = createHash("sha256").update(text).digest("hex");
  if (known?.digest !== digest) {
    const all = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    known = { digest, all: all.map((pem) => new X509Certificate(pem)) };
  }
  return known.all;
};
