import type { IncomingMessage } from "node:http";

export const ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, traceparent";
const EXPOSED_HEADERS = "ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id, RateLimit, RateLimit-Policy";

export type Cors = (req: IncomingMessage, path: string, headers: string[]) => void;

/**
 * Lets the pages of these origins read answers; none, and browsers keep to our own. `products=https://catalog.example` is for one room's alone.
 * No cookies go along: whoever asks from another origin brings a token.
 */
export const corsFor = (allowed: readonly string[]): Cors | undefined => {
  if (allowed.length === 0) return undefined;
  const everywhere = allowed.filter((one) => !one.includes("="));
  const ofRooms = new Map<string, string[]>();
  for (const [room, origin] of allowed.filter((one) => one.includes("=")).map((one) => one.split("=", 2) as [string, string])) {
    ofRooms.set(room, [...(ofRooms.get(room) ?? everywhere), origin]);
  }
  return (req, path, headers) => {
    const { origin } = req.headers;
    const origins = ofRooms.get(ROOM.exec(path)?.[1] ?? "") ?? everywhere;
    const all = origins.includes("*");
    if (!all) headers.push("Vary", "Origin");
    if (origin === undefined || !(all || origins.includes(origin))) return;
    headers.push("Access-Control-Allow-Origin", all ? "*" : origin, "Access-Control-Expose-Headers", EXPOSED_HEADERS);
  };
};

const ROOM = /^\/api\/v1\/([^/]+)/;
