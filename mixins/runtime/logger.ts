import { AsyncLocalStorage } from "node:async_hooks";
import { writeSync } from "node:fs";
import { type Context, Loggers, type LogLevels, type Middleware } from "moleculer";
import pino from "pino";
import type { Meta } from "../core/context.ts";
import { config } from "./config.ts";
import { redacted } from "./redaction.ts";

/** In the course of which request something is done: it stands on every line that is logged meanwhile. */
export interface Course {
  readonly requestId: string;
  readonly traceId: string;
  readonly user: string;
}

export const courses = new AsyncLocalStorage<Course>();

const out = pino.destination({ dest: 1, sync: false, maxLength: 16_777_216, maxWrite: 1_048_576 });
const MOST_WAITING = 65_536;
const LONGEST_WAIT = 200;
let waiting: string[] = [];
let size = 0;

/**
 * Lines wait until there are 64 KB of them or a fifth of a second is over: a system call for each would cost a request
 * more than all else that is done for it, and pino's own buffer measures all it holds at each line. A reader that falls
 * back by 16 MB loses lines, not us our memory.
 */
export const lines = {
  write(line: string): void {
    waiting.push(line);
    size += line.length;
    if (size >= MOST_WAITING) this.flush();
  },
  flush(): void {
    if (size === 0) return;
    out.write(waiting.join(""));
    waiting = [];
    size = 0;
  },
};
setInterval(() => lines.flush(), LONGEST_WAIT).unref();
process.on("exit", () => {
  try {
    out.flushSync();
    for (let rest = Buffer.from(waiting.join("")); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest)); // what pino begins to write now would not be waited for
  } catch {} // nobody reads any more: there is no one left to tell
});

/** JSON lines. A line has an event's name and fields: `log.info({ event: "stream-parked", stream })`. */
export const log = pino(
  {
    level: config.logLevel,
    base: config.nodeId ? { node: config.nodeId } : null,
    mixin: () => ({ ...courses.getStore() }), // a copy: pino adds the line's own fields to it
    formatters: { log: (line) => redacted(line) as Record<string, unknown> },
    serializers: { err: (error) => error }, // it is none any more
  },
  lines,
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

/** What is done for a call is done in the course of its request: also where the call comes from another node, or follows from an event. */
export const callCourses: Middleware = {
  name: "Courses",
  localAction(next) {
    const call = next as (ctx: Context) => Promise<unknown>;
    return (ctx: Context<unknown, Meta>) => {
      const requestId = ctx.requestID ?? ctx.id;
      if (courses.getStore()?.requestId === requestId) return call(ctx);
      return courses.run({ requestId, traceId: ctx.meta.traceId ?? requestId, user: ctx.meta.user?.id ?? "anonymous" }, call, ctx);
    };
  },
};
