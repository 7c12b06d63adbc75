import { createHash, randomBytes, randomUUIDv7 } from "node:crypto";
import { SignJWT } from "jose";
import type { User } from "../../mixins/core/context.ts";
import { ALGORITHM, AUDIENCE, ISSUER, TOKEN_SECONDS, TOKEN_TYPE } from "../../mixins/trust/tokens.ts";
import type { SigningKeys } from "./auth.keys.ts";

/** An access token for a user, in seconds that it counts: a JWT as RFC 9068 has them, signed with Ed25519. */
export const accessToken = async (keys: SigningKeys, { id, roles, session }: User, seconds = TOKEN_SECONDS): Promise<string> => {
  const { kid, key } = await keys.current();
  const now = Date.now() / 1_000; // to the millisecond: a login right after all sessions were ended is a new one
  return new SignJWT({ roles, ...(session && { sid: session }) })
    .setProtectedHeader({ alg: ALGORITHM, kid, typ: TOKEN_TYPE })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(id)
    .setJti(randomUUIDv7())
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .sign(key);
};

/** 256 bits of chance: there is nothing to guess, so a digest is all that must be kept of it, and one round of a hash is enough. */
export const newSecret = (): string => randomBytes(32).toString("base64url");
export const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("base64url");

const PARTS = /^([A-Za-z0-9][A-Za-z0-9_~-]{0,63})\.([A-Za-z0-9-]{1,64})\.([A-Za-z0-9_-]{43})$/;

/** A refresh token says whose it is, so that it is found by an id: `<user>.<session>.<secret>`; a link says `link` for the session. */
export const composed = (user: string, about: string, secret: string): string => `${user}.${about}.${secret}`;

export const parted = (token: string): { user: string; about: string; digest: string } | undefined => {
  const [, user, about, secret] = PARTS.exec(token) ?? [];
  return secret === undefined ? undefined : { user: user!, about: about!, digest: digestOf(secret) };
};
