import { createPrivateKey, hkdfSync, randomUUIDv7 } from "node:crypto";
import { importJWK, type JWK, SignJWT } from "jose";
import type { CallingOptions, ServiceBroker } from "moleculer";
import type { User } from "../core/context.ts";
import { masterKey } from "./master-key.ts";
import { ALGORITHM, AUDIENCE, ISSUER, type PublicKey, TOKEN_TYPE } from "./tokens.ts";

/** Whoever starts a process on the rooms' own stores: he could read and change all of it by hand. */
export const OPERATOR: User = Object.freeze({ id: "operator", roles: Object.freeze(["admin"]) });

const KID = "operator";
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex"); // what stands before the 32 bytes of an Ed25519 key (RFC 8410)

/** The broker as this user calls on it. */
export const actingAs = (user: User, broker: ServiceBroker): ServiceBroker => {
  const call = (action: string, params?: object, options?: CallingOptions) =>
    broker.call(action, params ?? {}, { ...options, meta: { user, ...options?.meta } });
  return Object.create(broker, { call: { value: call } });
};

/** A key that follows from the master key: whoever can read that one needs no room to be up, and no password. */
const key = (): JWK => {
  const seed = Buffer.from(hkdfSync("sha256", masterKey(), "", "operator's key", 32));
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" }).export({ format: "jwk" }) as JWK;
};

/** Its public part, which every door knows that has the master key. */
export const operatorKey = (): PublicKey => {
  const { kty, crv, x } = key();
  return { kty, crv, x, kid: KID, alg: ALGORITHM, use: "sig" };
};

/** An access token for an operator of the host, or for whom he names, in seconds that it counts. */
export const operatorToken = async (seconds: number, { id, roles }: User = OPERATOR): Promise<string> => {
  const now = Date.now() / 1_000;
  return new SignJWT({ roles })
    .setProtectedHeader({ alg: ALGORITHM, kid: KID, typ: TOKEN_TYPE })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(id)
    .setJti(randomUUIDv7())
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .sign(await importJWK(key(), ALGORITHM));
};
