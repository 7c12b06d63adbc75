import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { JWK } from "jose";
import { seedKeyOf } from "./access-token.ts";

/** The key that signs the audit trail follows from the master key: nothing of it is in the store that it vouches for. */
export const auditKeyOf = (masterKey: Buffer): KeyObject => createPrivateKey({ key: seedKeyOf(masterKey, "audit's key"), format: "jwk" });

/** The public part as text: 32 bytes in base64url. */
export const publicText = (key: KeyObject): string => (createPublicKey(key).export({ format: "jwk" }) as JWK).x!;

/** The key that such a text names; undefined where it is none. */
export const publicKeyOf = (text: string): KeyObject | undefined => {
  if (Buffer.from(text, "base64url").length !== 32) return undefined;
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
};

export const kidOf = (text: string): string => text.slice(0, 16);
