import { importJWK, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import type { User } from "../core/context.ts";
import { Rejected, Unavailable } from "../core/errors.ts";
import { config } from "../runtime/config.ts";
import { ALGORITHM, API_KEY, OPERATOR_KEY, OPERATOR_SECONDS, type PublicKey, TOKEN_SECONDS, TOKEN_TYPE } from "./access-token.ts";
import { ForeignIssuers } from "./foreign-issuers.ts";
import { prove } from "./proofs.ts";

const [LONGEST, LONGEST_KEY] = [4_096, 256]; // characters
const MOST_KEPT = 20_000;
const FRESH = 600_000; // milliseconds after which keys are asked for again, for one may have been taken away
const PAUSE = 1_000; // milliseconds between two looks for a key that is not known

/** What is kept of a token that was verified once: whoever brings it again costs a look. */
interface Verified {
  readonly user: User;
  /** Milliseconds since the epoch. */
  readonly made: number;
  readonly until: number;
}

/** Where tokens come from that are not verified here. */
export interface Sources {
  /** The public keys, looked for because of this one. */
  keys(kid: string): Promise<readonly PublicKey[]>;
  /** Whose an API key is, until when that counts, in milliseconds since the epoch, and an access token that says so to other nodes. */
  apiKey(key: string): Promise<{ user: User; until: number; token: string }>;
}

/** Whether what a token says was taken back since. */
export type Ended = (user: User, made: number) => boolean;

/**
 * Reads access tokens. The algorithm is ours and no header's choice; keys come from `sources` alone, never from what a token names (`jku`, `jwk`, `x5u`).
 */
export class Tokens {
  readonly #sources: Sources;
  readonly #ended: Ended;
  readonly #verified = new LRUCache<string, Verified>({ max: MOST_KEPT });
  readonly #own: readonly PublicKey[];
  readonly #foreign = new ForeignIssuers(config.trustedIssuers);
  readonly #leeway: number;
  #keys: Map<string, Awaited<ReturnType<typeof importJWK>>> | undefined;
  #looked = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  /** `own` keys are known without being asked for; `leeway` seconds more than it says a token counts, for clocks that differ. */
  constructor(sources: Sources, ended: Ended, own: readonly PublicKey[] = [], leeway = 0) {
    this.#sources = sources;
    this.#ended = ended;
    this.#own = own;
    this.#leeway = leeway;
  }

  /** Whose the token is; at once where it was verified before. Throws `TOKEN_INVALID`, `TOKEN_EXPIRED`, `SESSION_ENDED` (401). */
  verify(token: string): User | Promise<User> {
    const kept = this.#verified.get(token);
    if (token.startsWith(API_KEY)) return kept && this.#counts(kept) ? kept.user : this.#readKey(token);
    return kept ? this.#still(token, kept) : this.#read(token);
  }

  #counts({ user, made, until }: Verified): boolean {
    return Date.now() < until && !this.#ended(user, made);
  }

  /** A key outlives what is known of it: it is asked for again. */
  async #readKey(key: string): Promise<User> {
    if (key.length > LONGEST_KEY) throw new Rejected("API_KEY_INVALID", "This is no API key of ours", 401);
    const made = Date.now();
    const { user, until, token } = await this.#sources.apiKey(key).catch((error: Error & { type?: string }) => {
      throw error.type === "API_KEY_INVALID" || error instanceof Unavailable ? error : unknowable(error);
    });
    this.#verified.set(key, { user: prove(Object.freeze(user), token), made, until });
    return user;
  }

  #still(token: string, { user, made, until }: Verified): User {
    if (Date.now() >= until) {
      this.#verified.delete(token);
      throw expired();
    }
    if (this.#ended(user, made)) throw new Rejected("SESSION_ENDED", "This session was ended; log in again", 401);
    return user;
  }

  async #read(token: string): Promise<User> {
    if (token.length > LONGEST) throw invalid();
    const foreign = this.#foreign.verify(token);
    if (foreign) return this.#keep(token, await foreign);
    const { payload, protectedHeader } = await jwtVerify(token, async ({ kid }) => this.#key(kid), {
      issuer: config.issuer,
      audience: config.issuer,
      algorithms: [ALGORITHM],
      typ: TOKEN_TYPE,
      clockTolerance: this.#leeway,
      requiredClaims: ["sub", "iat", "exp", "jti"],
    }).catch((error: Error & { code?: string }) => {
      if (error.code === "ERR_JWT_EXPIRED") throw expired();
      throw error instanceof Unavailable ? error : invalid();
    });
    const most = protectedHeader.kid === OPERATOR_KEY ? OPERATOR_SECONDS : TOKEN_SECONDS;
    if (!(payload.exp! - payload.iat! <= most + 1)) throw invalid(); // nobody of ours gives one for longer
    return this.#keep(token, { user: userOf(payload), made: payload.iat! * 1_000, until: payload.exp! * 1_000 });
  }

  #keep(token: string, { user, made, until }: Verified): User {
    const verified = { user: prove(user, token), made, until: until + this.#leeway * 1_000 };
    this.#verified.set(token, verified);
    return this.#still(token, verified);
  }

  async #key(kid: unknown) {
    if (typeof kid !== "string" || kid.length > 64) throw invalid();
    this.#keys ??= await imported(this.#own);
    const known = this.#keys.has(kid);
    const age = performance.now() - this.#looked;
    if (known ? age >= FRESH && !this.#own.some((key) => key.kid === kid) : age >= PAUSE) {
      this.#looking ??= this.#look(kid).finally(() => {
        this.#looking = undefined;
      });
      await (known ? this.#looking.catch(() => {}) : this.#looking); // one that was taken away is forgotten once somebody says so
    }
    const key = this.#keys.get(kid);
    if (!key) throw invalid();
    return key;
  }

  async #look(kid: string) {
    const keys = await this.#sources.keys(kid).catch((error: Error) => {
      throw unknowable(error);
    });
    this.#keys = await imported([...keys, ...this.#own]);
    this.#looked = performance.now(); // only a look that was answered counts
  }
}

const imported = async (keys: readonly PublicKey[]) =>
  new Map(await Promise.all(keys.map(async (key) => [key.kid, await importJWK(key, ALGORITHM)] as const)));

const userOf = ({ sub, sid, roles, teams, machine }: JWTPayload): User =>
  Object.freeze({
    id: sub!,
    roles: textsOf(roles),
    ...(teams !== undefined && { teams: textsOf(teams) }),
    ...(typeof sid === "string" && { session: sid }),
    ...(machine === true && { machine }),
  });

const textsOf = (claim: unknown): readonly string[] =>
  Object.freeze(Array.isArray(claim) ? claim.filter((text) => typeof text === "string") : []);

const unknowable = (cause: Error) =>
  Object.assign(new Unavailable("ROOM_UNAVAILABLE", "Whose token this is cannot be found out at the moment"), { cause });
const invalid = () => new Rejected("TOKEN_INVALID", "The access token is none of ours, or was changed; log in again", 401);
const expired = () => new Rejected("TOKEN_EXPIRED", "The access token has expired; ask for another one with the refresh token", 401);
