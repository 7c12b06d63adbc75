import { type Context, Errors, type Middleware } from "moleculer";

type Call = (ctx: Context) => Promise<unknown> & { timeout(ms: number): Promise<unknown> };

/**
 * Ends a call within the process when the time is over that its caller, or the action, gives it; the calls that it makes share
 * that time. In place of Moleculer's own middleware of that name, which also starts a timer for each call that came from another
 * node, where the one who asked counts for itself, and for each that goes there (see `remoteCalls`).
 */
export const callTimeouts: Middleware = {
  name: "Timeout",
  localAction(next, action) {
    const { name, timeout: own = 0 } = action as { name: string; timeout?: number };
    const call = next as Call;
    return (ctx: Context) => {
      ctx.options.timeout ??= own;
      const { timeout } = ctx.options;
      if (!timeout) return call(ctx);
      ctx.startHrTime ??= process.hrtime();
      const { nodeID } = ctx;
      if (nodeID !== this.nodeID) return call(ctx);
      return call(ctx)
        .timeout(timeout)
        .catch((error: Error) => {
          throw error.name === "TimeoutError" ? new Errors.RequestTimeoutError({ action: name, nodeID: nodeID! }) : error;
        });
    };
  },
};
