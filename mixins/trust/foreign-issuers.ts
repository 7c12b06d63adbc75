import { createHash } from "node:crypto";
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import type { User } from "../core/context.ts";
import { Rejected, Unavailable } from "../core/errors.ts";
import { FOREIGN, idOf } from "../core/ids.ts";
import type { TrustedIssuer } from "../runtime/issuers.ts";
import { boundedFetch } from "./bounded-fetch.ts";

const COOLDOWN = 30_000; // milliseconds between two looks for a key that an issuer does not have
const FRESH = 600_000; // milliseconds after which its keys are asked for again, for one may have been taken away
const PAUSE = 5_000; // milliseconds after a look that failed
const SKEW = 30; // seconds that its clock may be ahead of ours
const [LONGEST_ID, LONGEST_SUBJECT, MOST_ROLES] = [64, 255, 200];

/** What a token of somebody else's says, once it is found to be his. Times in milliseconds since the epoch. */
export interface Foreign {
  readonly user: User;
  readonly made: number;
  readonly until: number;
}

/** The configured issuers, whose access tokens count as ours do. A token's own word on who made it does no more than choose among them. */
export class ForeignIssuers {
  readonly #issuers: ReadonlyMap<string, ForeignIssuer>;

  constructor(trusted: readonly TrustedIssuer[]) {
    this.#issuers = new Map(trusted.map((one) => [one.issuer, new ForeignIssuer(one)]));
  }

  /** Undefined where none of them made it: then nobody is asked. Throws `TOKEN_INVALID`, `TOKEN_EXPIRED`, `ISSUER_UNAVAILABLE`. */
  verify(token: string): Promise<Foreign> | undefined {
    return this.#issuers.size === 0 ? undefined : this.#issuers.get(issuerOf(token))?.verify(token);
  }
}

const issuerOf = (token: string): string => {
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === "string" ? iss : "";
  } catch {
    return "";
  }
};

class ForeignIssuer {
  readonly #trusted: TrustedIssuer;
  readonly #fetch: ReturnType<typeof boundedFetch>;
  #keys: Promise<JWTVerifyGetKey> | undefined;
  #failed = Number.NEGATIVE_INFINITY;

  constructor(trusted: TrustedIssuer) {
    this.#trusted = trusted;
    this.#fetch = boundedFetch(trusted.issuer, [...trusted.hosts, ...(trusted.jwksUri ? [new URL(trusted.jwksUri).host] : [])]);
  }

  async verify(token: string): Promise<Foreign> {
    const { issuer, audience, algorithms, type, maxAge } = this.#trusted;
    const { payload } = await jwtVerify(token, async (...key) => (await this.#known())(...key), {
      ...{ issuer, audience, algorithms: [...algorithms], typ: type, clockTolerance: SKEW },
      ...{ maxTokenAge: maxAge, requiredClaims: ["sub", "iat", "exp"] },
    }).catch((error: Error & { code?: unknown; claim?: unknown }) => {
      if (error instanceof Unavailable) throw error;
      if (error.code === "ERR_JWT_EXPIRED") throw expired();
      throw UNREADABLE.has(String(error.code)) ? this.#away(error) : invalid();
    });
    const made = payload.iat! * 1_000;
    const until = Math.min(payload.exp! * 1_000, made + maxAge * 1_000);
    return { user: userOf(this.#trusted, payload), made, until };
  }

  #known(): Promise<JWTVerifyGetKey> {
    if (performance.now() - this.#failed < PAUSE) throw away(this.#trusted.issuer);
    this.#keys ??= this.#find().catch((error: Error) => {
      this.#keys = undefined;
      throw this.#away(error);
    });
    return this.#keys;
  }

  async #find(): Promise<JWTVerifyGetKey> {
    const address = this.#trusted.jwksUri ?? (await this.#discovered());
    const ask = (url: string, options: { headers: Headers; signal: AbortSignal }) =>
      this.#ask(url, options).catch((error: Error) => {
        throw this.#away(error);
      });
    return createRemoteJWKSet(new URL(address), { cooldownDuration: COOLDOWN, cacheMaxAge: FRESH, [customFetch]: ask });
  }

  async #discovered(): Promise<string> {
    const { issuer } = this.#trusted;
    const answer = await this.#ask(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    const found = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (found.issuer !== issuer || typeof found.jwks_uri !== "string")
      throw new TypeError(`What ${issuer} says of itself is of another one`);
    return found.jwks_uri;
  }

  async #ask(url: string, options: { headers?: Headers; signal?: AbortSignal } = {}): Promise<Response> {
    const answer = await this.#fetch(url, options);
    if (answer.status !== 200) throw new TypeError(`${url} answers ${answer.status}`);
    return answer;
  }

  /** For a moment it is not asked again: whoever sends tokens in its name must not make us send as many requests. */
  #away(cause: Error): Unavailable {
    this.#failed = performance.now();
    return Object.assign(away(this.#trusted.issuer), { cause });
  }
}

/** What jose says of a key set that is none. */
const UNREADABLE = new Set(["ERR_JOSE_GENERIC", "ERR_JWKS_INVALID", "ERR_JWKS_TIMEOUT"]);

const userOf = ({ prefix, rolesClaim, roles }: TrustedIssuer, payload: JWTPayload): User => {
  const theirs = listOf(claimOf(payload, rolesClaim)).slice(0, MOST_ROLES);
  const ours = theirs.flatMap((role) => (Object.hasOwn(roles, role) ? roles[role]! : []));
  return Object.freeze({ id: foreignId(prefix, payload.sub!), roles: Object.freeze([...new Set(ours)]) });
};

/** An id that no user of ours can have, and no two subjects share. */
export const foreignId = (prefix: string, subject: unknown): string => {
  if (typeof subject !== "string" || subject === "" || subject.length > LONGEST_SUBJECT || !subject.isWellFormed()) throw invalid();
  const plain = `${prefix}${FOREIGN}${idOf(subject)}`;
  if (plain.length <= LONGEST_ID) return plain;
  return `${prefix}${FOREIGN}~${createHash("sha256").update(subject).digest("base64url")}`; // no id of idOf begins with ~
};

/** A claim by its name, which may have dots in it, or by the way to it. */
const claimOf = (payload: JWTPayload, name: string): unknown => {
  if (Object.hasOwn(payload, name)) return payload[name];
  return name.split(".").reduce<unknown>((at, part) => (isObject(at) && Object.hasOwn(at, part) ? at[part] : undefined), payload);
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const listOf = (claim: unknown): string[] => {
  if (typeof claim === "string") return claim.split(" ");
  return Array.isArray(claim) ? claim.filter((role) => typeof role === "string") : [];
};

const away = (issuer: string) => new Unavailable("ISSUER_UNAVAILABLE", `The keys of ${issuer} cannot be had at the moment`);
const invalid = () => new Rejected("TOKEN_INVALID", "The access token is not one that counts here, or was changed", 401);
const expired = () => new Rejected("TOKEN_EXPIRED", "The access token has expired; ask its issuer for another one", 401);
