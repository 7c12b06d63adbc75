import { createHash, randomBytes } from "node:crypto";

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
