import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Course } from "../../mixins/runtime/logger.ts";

const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/;
const TRACEPARENT = /^[0-9a-e][0-9a-f]-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** Ours begin with what tells this process from all others, and count on. */
const start = randomBytes(10).toString("hex");
let made = 0;
const newTrace = () => start + (++made).toString(16).padStart(12, "0");

/** Under which ids a request goes: those that it brings, where they are safe to repeat, or one that we make. */
export const courseOf = ({ headers }: IncomingMessage): Course => {
  const given = headers["x-request-id"];
  const parent = headers.traceparent;
  const trace = typeof parent === "string" ? TRACEPARENT.exec(parent)?.[1] : undefined;
  const traceId = trace ?? newTrace();
  const requestId = typeof given === "string" && REQUEST_ID.test(given) ? given : traceId;
  return { requestId, traceId, user: "anonymous" };
};
