import type { IncomingMessage } from "node:http";
import { Rejected } from "../../mixins/core/errors.ts";
import { accessIn, requireProof } from "./cookies.ts";

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** What says who asks: the header, else a browser's cookie, which takes proof for changes. Throws `TOKEN_INVALID`, `CSRF_REFUSED`. */
export const tokenOf = ({ method, headers }: IncomingMessage): string | undefined => {
  const { authorization, cookie, "x-csrf-token": proof } = headers;
  if (authorization !== undefined) return bearerOf(authorization);
  const token = accessIn(cookie);
  if (token !== undefined && method !== "GET" && method !== "HEAD") requireProof(cookie, proof);
  return token;
};

const bearerOf = (authorization: string): string => {
  const token = BEARER.exec(authorization)?.[1];
  if (token) return token;
  throw new Rejected("TOKEN_INVALID", "Authorization takes an access token: `Bearer …`", 401);
};
