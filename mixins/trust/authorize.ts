import type { Context, Middleware } from "moleculer";
import type { Meta } from "../core/context.ts";
import { refusalOf } from "../core/policy.ts";

type Handler = (ctx: Context<unknown, Meta>) => Promise<unknown>;

/**
 * A published action asks who calls, whichever way he came: over HTTP, where the door has asked already, by the REPL, or by
 * code of ours that forgot to say. What a room does for a caller whom it has let in, it does in its own name.
 */
export const authorize: Middleware = {
  name: "Authorize",
  localAction(next, action) {
    const { permission, visibility } = action as { permission?: string; visibility?: string };
    if (visibility !== "published") return next;
    const call = next as Handler;
    return (ctx: Context<unknown, Meta>) => {
      const refusal = ctx.level > 1 ? undefined : refusalOf(ctx.meta.user, permission);
      return refusal ? Promise.reject(refusal) : call(ctx);
    };
  },
};
