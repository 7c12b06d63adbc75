import Validator from "fastest-validator";

/** Somebody else's system where our users log in (OpenID Connect, authorization code with PKCE). */
export interface Provider {
  /** As it stands in addresses. */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  /** None: we are a public client there. */
  readonly clientSecret?: string;
  /** How the secret is sent to it. */
  readonly clientAuthentication: "basic" | "post";
  /** Where it sends the browser back to, a page of the front end: each provider to one of its own, or one could bring another one's code (RFC 9700, 2.1). */
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  /** What ID tokens are signed with. */
  readonly algorithm: string;
  /** Hosts beside the issuer's own where its endpoints may be. */
  readonly hosts: readonly string[];
  /** Where set, only addresses of these domains, which the provider has verified, log in. */
  readonly domains?: readonly string[];
  /** Whether its word on whose an e-mail is lets in whoever has that e-mail here. */
  readonly linkByEmail: boolean;
  /** The roles of whoever is not known yet and is made a user; not set: nobody is. */
  readonly createWith?: readonly string[];
}

/** Somebody else's system whose access tokens count here. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** Where its keys are; not set: where its discovery document says. */
  readonly jwksUri?: string;
  readonly hosts: readonly string[];
  readonly algorithms: readonly string[];
  /** The `typ` of its tokens; `at+jwt` (RFC 9068) keeps ID tokens out. */
  readonly type: string;
  /** Seconds that a token may count from when it was made. */
  readonly maxAge: number;
  /** The claim that has their roles, `realm_access.roles` for one deep inside, and what those are here. */
  readonly rolesClaim: string;
  readonly roles: Readonly<Record<string, readonly string[]>>;
  /** What its users' ids begin with here. */
  readonly prefix: string;
}

const ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const;
const MOST = 20;

const line = { type: "string", min: 1, max: 500 } as const;
const address = { type: "string", min: 8, max: 500 } as const;
const host = { type: "string", pattern: "^[a-z0-9.-]+(:[0-9]{1,5})?$", max: 255 } as const;
const hosts = { type: "array", items: host, max: 10, default: [] } as const;
const roles = { type: "array", items: { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" }, max: 20 } as const;

const PROVIDER = {
  $$strict: true,
  name: { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" },
  issuer: address,
  clientId: line,
  clientSecret: { ...line, optional: true },
  clientAuthentication: { type: "enum", values: ["basic", "post"], default: "basic" },
  redirectUri: address,
  scopes: { type: "array", items: { type: "string", pattern: "^[!#-\\[\\]-~]{1,100}$" }, max: 20, default: ["openid", "email", "profile"] },
  algorithm: { type: "enum", values: ASYMMETRIC, default: "RS256" },
  hosts,
  domains: { type: "array", items: { type: "string", pattern: "^[a-z0-9-]+(\\.[a-z0-9-]+)+$" }, min: 1, max: 100, optional: true },
  linkByEmail: { type: "boolean", strict: true, default: false },
  createWith: { ...roles, optional: true },
} as const;

const TRUSTED = {
  $$strict: true,
  issuer: address,
  audience: line,
  jwksUri: { ...address, optional: true },
  hosts,
  algorithms: { type: "array", items: { type: "enum", values: ASYMMETRIC }, min: 1, max: 5, default: ["RS256"] },
  type: { type: "string", pattern: "^[A-Za-z0-9+.-]{1,50}$", default: "at+jwt" },
  maxAge: { type: "number", integer: true, min: 60, max: 86_400, default: 3_600 },
  rolesClaim: { type: "string", min: 1, max: 200, default: "roles" },
  roles: { type: "record", key: { type: "string", min: 1, max: 200 }, value: roles },
  prefix: { type: "string", pattern: "^[a-z][a-z0-9-]{0,15}$" },
} as const;

const LOOPBACK = /^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/;

/** Whether anybody on the way could read or change what goes there: not over TLS, nor on this host. */
export const isPrivate = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));

/** What is wrong with an address that we are to trust; undefined where nothing is. */
const unfit = (text: string): string | undefined => {
  if (!URL.canParse(text)) return "is no address";
  const url = new URL(text);
  if (!isPrivate(url)) return "must begin with https:// (http:// only on this host)";
  return url.username || url.password || url.hash ? "has a user, a password or a # in it" : undefined;
};

/** Reads a list of JSON objects. What is wrong is told without a word of the text, for there are secrets in it. */
const read = <T>(variable: string, text: string | undefined, shape: object): T[] => {
  if (!text) return [];
  let items: unknown;
  try {
    items = JSON.parse(text);
  } catch {
    throw new Error(`${variable} must be a JSON list, and this is not JSON`);
  }
  if (!Array.isArray(items) || items.length > MOST) throw new Error(`${variable} must be a JSON list of at most ${MOST} objects`);
  const check = new (
    Validator as unknown as new () => { compile(rules: object): (value: unknown) => true | { message: string }[] }
  )().compile(shape);
  items.forEach((item, i) => {
    const found = typeof item === "object" && item !== null ? check(item) : [{ message: "It is no object." }];
    if (found !== true) throw new Error(`${variable}, ${i + 1}: ${String(found[0]!.message).replace(/,? but got.*$|,? got:.*$/s, "")}`);
  });
  return items as T[];
};

const refuse = (variable: string, items: readonly object[], why: (item: never) => string | undefined) => {
  items.forEach((item, i) => {
    const reason = why(item as never);
    if (reason) throw new Error(`${variable}, ${i + 1}: ${reason}`);
  });
};

const addresses = (item: object, names: readonly string[]): string | undefined => {
  for (const name of names) {
    const value = (item as Record<string, string | undefined>)[name];
    const wrong = value === undefined ? undefined : unfit(value);
    if (wrong) return `${name} ${wrong}`;
  }
  return (item as { issuer: string }).issuer.includes("?") ? "issuer has a ? in it" : undefined;
};

const refuseTwice = (variable: string, items: readonly object[], name: string) => {
  const values = items.map((item) => (item as Record<string, unknown>)[name]);
  const value = values.find((one, i) => values.indexOf(one) !== i);
  if (value !== undefined) throw new Error(`${variable}: two have the ${name} ${value}`);
};

/** Checks what `OIDC_PROVIDERS` says. */
export const providersOf = (variable: string, text: string | undefined): readonly Provider[] => {
  const providers = read<Provider>(variable, text, PROVIDER);
  refuse(variable, providers, (provider: Provider) => {
    if (!provider.scopes.includes("openid")) return "scopes must have openid among them";
    return addresses(provider, ["issuer", "redirectUri"]);
  });
  for (const name of ["name", "redirectUri"]) refuseTwice(variable, providers, name);
  return providers;
};

/** Checks what `TRUSTED_ISSUERS` says; `own` is who makes our own tokens. */
export const trustedIssuersOf = (variable: string, text: string | undefined, own: string): readonly TrustedIssuer[] => {
  const issuers = read<TrustedIssuer>(variable, text, TRUSTED);
  refuse(variable, issuers, (issuer: TrustedIssuer) => {
    if (issuer.issuer === own) return "issuer is our own ISSUER";
    return addresses(issuer, ["issuer", "jwksUri"]);
  });
  for (const name of ["issuer", "prefix"]) refuseTwice(variable, issuers, name);
  return issuers;
};
