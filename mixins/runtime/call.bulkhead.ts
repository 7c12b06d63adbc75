import { type Context, Errors, type Middleware } from "moleculer";

type Call = (ctx: Context) => Promise<unknown>;

interface Bulkhead {
  enabled?: boolean;
  concurrency?: number;
  maxQueueSize?: number;
}

/**
 * Bounds how many calls of one action run on this node, and how many wait for that; one more is refused with `QUEUE_FULL`, and
 * has then done nothing. In place of Moleculer's own middleware of that name, whose four gauges for each call take as long as
 * all else that a node does for a call from another one.
 */
export const callBulkhead: Middleware = {
  name: "Bulkhead",
  localAction(next, action) {
    const { name, bulkhead } = action as { name: string; bulkhead?: Bulkhead };
    const { enabled, concurrency = 1, maxQueueSize = 0 } = { ...(this.options.bulkhead as Bulkhead), ...bulkhead };
    const call = next as Call;
    if (!enabled) return call;

    const waiting: (() => void)[] = [];
    let running = 0;
    const done = () => {
      running--;
      waiting.shift()?.();
    };
    const run = (ctx: Context) => {
      running++;
      const answer = call(ctx);
      answer.then(done, done);
      return answer;
    };
    return (ctx: Context) => {
      if (running < concurrency) return run(ctx);
      if (waiting.length >= maxQueueSize) return Promise.reject(new Errors.QueueIsFullError({ action: name, nodeID: this.nodeID }));
      return new Promise((resolve) => waiting.push(() => resolve(run(ctx))));
    };
  },
};
