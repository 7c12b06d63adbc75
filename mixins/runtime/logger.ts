import { AsyncLocalStorage } from "node:async_hooks";
import { Loggers, type LogLevels } from "moleculer";
import pino from "pino";
import { config } from "./config.ts";

/** In the course of which request something is done: it stands on every line that is logged meanwhile. */
export interface Course {
  readonly requestId: string;
  readonly traceId: string;
  readonly user: string;
}

export const courses = new AsyncLocalStorage<Course>();

/**
 * Lines wait in memory until there are 16 KB of them or a fifth of a second is over, so that no request waits for a
 * slow reader of the log; a reader that falls back by 16 MB loses lines, not us our memory. What waits at the end is written then.
 */
export const destination = pino.destination({ dest: 1, sync: false, minLength: 16_000, maxLength: 16_777_216, periodicFlush: 200 });
process.on("exit", () => {
  try {
    destination.flushSync();
  } catch {} // nobody reads any more: there is no one left to tell
});

const secret = ["password", "token", "secret", "authorization", "cookie"];

/** JSON lines. A line has an event's name and fields: `log.info({ event: "stream-parked", stream })`. */
export const log = pino(
  {
    level: config.logLevel,
    base: config.nodeId ? { node: config.nodeId } : null,
    mixin: () => ({ ...courses.getStore() }), // a copy: pino adds the line's own fields to it
    redact: { paths: secret.flatMap((name) => [name, `*.${name}`]), censor: "[hidden]" },
  },
  destination,
);

/** The same lines for the broker and its services. Moleculer's own prose is for whoever debugs, so it counts as such. */
export class HouseLogger extends Loggers.Base<{ level?: LogLevels }> {
  override getLogHandler(bindings?: { mod?: string; svc?: string }) {
    const own = log.child({ room: bindings?.svc ?? bindings?.mod });
    return (type: LogLevels, args: unknown[]) => {
      const level = type === "info" && typeof args[0] === "string" ? "debug" : type;
      if (own.isLevelEnabled(level)) (own[level] as (...args: unknown[]) => void)(...args);
    };
  }
}
