import { createPrivateKey, hkdfSync, randomUUIDv7 } from "node:crypto";
import { importJWK, type JWK, SignJWT } from "jose";
import type { User } from "../core/context.ts";

/** How an access token is made: a JWT as RFC 9068 has them, signed with Ed25519. */
export const ALGORITHM = "EdDSA";
export const TOKEN_TYPE = "at+jwt";
/** Seconds that one of a login counts, unless its session ends sooner. */
export const TOKEN_SECONDS = 300;
/** The most seconds that an operator of the host may give one. */
export const OPERATOR_SECONDS = 86_400;

/** What an API key begins with, so that it is known for one, by us and by whoever looks for secrets that got away. */
export const API_KEY = "banyan_";

export type PublicKey = JWK & { kid: string };

/** A key that signs, under the name by which its public part is known. */
export interface SigningKey {
  readonly kid: string;
  readonly jwk: JWK;
}

/**
 * A token for a user, in seconds that it counts; who makes it is whom it is for. `at` is when it was known what it says, in milliseconds: whatever
 * is taken back later takes it along. (To the millisecond: a login right after all sessions were ended is a new one.)
 */
export const signed = async (
  { kid, jwk }: SigningKey,
  issuer: string,
  { id, roles, teams, session, machine }: User,
  seconds: number,
  at = Date.now(),
): Promise<string> => {
  const now = at / 1_000;
  return new SignJWT({ roles, ...(teams?.length && { teams }), ...(session && { sid: session }), ...(machine && { machine }) })
    .setProtectedHeader({ alg: ALGORITHM, kid, typ: TOKEN_TYPE })
    .setIssuer(issuer)
    .setAudience(issuer)
    .setSubject(id)
    .setJti(randomUUIDv7())
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .sign(await importJWK(jwk, ALGORITHM));
};

export const publicPart = ({ kid, jwk: { kty, crv, x } }: SigningKey): PublicKey => ({ kty, crv, x, kid, alg: ALGORITHM, use: "sig" });

export const OPERATOR_KEY = "operator";
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex"); // what stands before the 32 bytes of an Ed25519 key (RFC 8410)

/** An Ed25519 key that follows from the master key and what it is for. */
export const seedKeyOf = (masterKey: Buffer, purpose: string): JWK => {
  const seed = Buffer.from(hkdfSync("sha256", masterKey, "", purpose, 32));
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" }).export({ format: "jwk" }) as JWK;
};

/** The key of the operator's tokens follows from the master key: whoever can read that one needs no room to be up, and no password. */
export const operatorKeyOf = (masterKey: Buffer): SigningKey => ({ kid: OPERATOR_KEY, jwk: seedKeyOf(masterKey, "operator's key") });
