import type { Context, Middleware } from "moleculer";
import type { Meta } from "../core/context.ts";
import { freeze } from "../core/freeze.ts";
import { hiddenFrom, refusalOf, without } from "../core/policy.ts";

type Handler = (ctx: Context<unknown, Meta>) => Promise<unknown>;

/** Of answers that are shared by all who get them, what is left for those who see less: they share that, too. */
const parts = new WeakMap<ReadonlySet<string>, WeakMap<object, object>>();

const partOf = (answer: unknown, names: ReadonlySet<string>): unknown => {
  if (typeof answer !== "object" || answer === null) return answer;
  if (!Object.isFrozen(answer)) return without(answer, names);
  const known = parts.get(names) ?? new WeakMap<object, object>();
  parts.set(names, known);
  const part = known.get(answer) ?? freeze(without(answer, names));
  known.set(answer, part);
  return part;
};

/**
 * A published action asks who calls, whichever way he came: over HTTP, where the door has asked already, by the REPL, or by
 * code of ours that forgot to say. It leaves out of its answer what the caller does not see. What a room does for a caller whom it has let in,
 * it does in its own name.
 */
export const authorize: Middleware = {
  name: "Authorize",
  localAction(next, action) {
    const { name, permission, visibility } = action as { name: string; permission?: string; visibility?: string };
    const room = name.split(".")[1] ?? "";
    if (visibility !== "published") return next;
    const call = next as Handler;
    return (ctx: Context<unknown, Meta>) => {
      if (ctx.level > 1) return call(ctx);
      const { user } = ctx.meta;
      const refusal = refusalOf(user, permission);
      if (refusal) return Promise.reject(refusal);
      const names = hiddenFrom(user, room);
      return names ? call(ctx).then((answer) => partOf(answer, names)) : call(ctx);
    };
  },
};
