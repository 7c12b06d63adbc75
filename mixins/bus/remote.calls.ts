import type { Context, Middleware } from "moleculer";
import { Unavailable } from "../core/errors.ts";

const MOST_MOVES = 3; // from one node that no longer serves to the next

type Handler = (ctx: Context) => Promise<unknown>;
type Moved = { moved?: number };
type Refusal = { type?: string; data?: { nodeID?: string; action?: string } };

/** NATS is away, or went away while the call was on its way. */
export const busUnavailable = (): Unavailable =>
  new Unavailable(
    "BUS_UNAVAILABLE",
    "The connection between the nodes is broken; what was asked may have happened: repeat it under the same key",
  );

/**
 * What is done for a call that goes to another node: it is refused at once while there is no connection, it gets its time (the
 * transporter ends it), and it goes to another node where the one that it reached no longer serves: that one has said that it did
 * nothing, so this is no repetition.
 */
export const remoteCalls: Middleware = {
  name: "RemoteCalls",
  remoteAction(next, action) {
    const { name, timeout: own } = action as { name: string; timeout?: number };
    const { transit, options } = this;
    const call = next as Handler;
    const most = own ?? options.requestTimeout;
    return (ctx: Context) => {
      if (!transit!.tx.connected) return Promise.reject(busUnavailable());
      ctx.options.timeout ??= most;
      ctx.startHrTime ??= process.hrtime();
      return call(ctx).catch((error: Refusal) => {
        const moved = (ctx.locals as Moved).moved ?? 0;
        if (moved === MOST_MOVES || ctx.options.nodeID !== undefined || !notServed(error, ctx, name)) throw error;
        (ctx.locals as Moved).moved = moved + 1;
        const again = ctx.copy();
        again.startHrTime = ctx.startHrTime;
        return this.call(name, ctx.params, { ctx: again } as object);
      });
    };
  },
};

const notServed = ({ type, data }: Refusal, { nodeID }: Context, action: string): boolean =>
  (type === "SERVICE_NOT_AVAILABLE" || type === "SERVICE_NOT_FOUND") && data?.nodeID === nodeID && data?.action === action;

/** Whether an error speaks against the node that gave it, so that others are asked for a while: it hung, failed, or has no store. */
export const isOfTheNode = ({ type, code }: { type?: string; code?: unknown }): boolean =>
  type === "REQUEST_TIMEOUT" || type === "STORE_UNAVAILABLE" || typeof code !== "number" || code === 500;
