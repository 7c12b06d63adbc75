import type { IncomingMessage } from "node:http";

export const ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, traceparent";
const EXPOSED_HEADERS = "ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id, RateLimit, RateLimit-Policy";

export type Cors = (req: IncomingMessage, headers: string[]) => void;

/** Lets the pages of these origins read answers; none, and browsers keep to our own. */
export const corsFor = (origins: readonly string[]): Cors | undefined => {
  if (origins.length === 0) return undefined;
  const all = origins.includes("*");
  return (req, headers) => {
    const { origin } = req.headers;
    if (!all) headers.push("Vary", "Origin");
    if (origin === undefined || !(all || origins.includes(origin))) return;
    headers.push("Access-Control-Allow-Origin", all ? "*" : origin, "Access-Control-Expose-Headers", EXPOSED_HEADERS);
  };
};
