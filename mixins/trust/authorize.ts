import type { Context, Middleware } from "moleculer";
import type { Meta } from "../core/context.ts";
import { ANYONE, refusalOf } from "../core/policy.ts";

type Handler = (ctx: Context<unknown, Meta>) => Promise<unknown>;

/**
 * What an action takes its caller must have, whichever way he came: the door asks as well, before it passes a request on. What a
 * room does for a caller whom it has let in, it does in its own name.
 */
export const authorize: Middleware = {
  name: "Authorize",
  localAction(next, action) {
    const { permission } = action as { permission?: string };
    const call = next as Handler;
    if (permission === undefined || permission === ANYONE) return next;
    return (ctx: Context<unknown, Meta>) => {
      const refusal = ctx.level > 1 ? undefined : refusalOf(ctx.meta.user, permission);
      return refusal ? Promise.reject(refusal) : call(ctx);
    };
  },
};
