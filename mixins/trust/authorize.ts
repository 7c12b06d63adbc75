import type { Context, Middleware } from "moleculer";
import type { Locals, Meta, User } from "../core/context.ts";
import { Rejected } from "../core/errors.ts";
import { freeze } from "../core/freeze.ts";
import { ADMIN, ANYONE, hiddenFrom, keepersWithin, reachOf, refusalOf, SOMEBODY, without } from "../core/policy.ts";
import { mayCall } from "./node-calls.ts";
import { proofOf } from "./proofs.ts";
import { rolesOf } from "./roles.ts";

type Asked = Context<unknown, Meta, Locals>;
type Handler = (ctx: Asked) => Promise<unknown>;

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
 * it does in its own name: within the process all, from another node what its rooms call (`node-calls.ts`).
 */
export const authorize: Middleware = {
  name: "Authorize",
  async started(broker) {
    rolesOf(broker).start();
  },
  async stopped(broker) {
    rolesOf(broker).stop();
  },
  localAction(next, action) {
    const { name, permission, visibility, kept } = action as { name: string; permission?: string; visibility?: string; kept?: boolean };
    const room = name.split(".")[1] ?? "";
    const published = visibility === "published";
    const call = next as Handler;
    const { nodeID } = this;
    const known = rolesOf(this);
    /** In the caller's own name, with what his roles may do. */
    const ask = (ctx: Asked, user: User | undefined): Promise<unknown> => {
      const refusal = refusalOf(user, permission, known.roles);
      if (refusal) return Promise.reject(refusal);
      const reach = user && permission !== ANYONE && permission !== SOMEBODY ? reachOf(user, permission!, known.roles)! : "all";
      if (reach !== "all") {
        if (!kept) return Promise.reject(ofSome(permission!));
        ctx.locals.keepers = keepersWithin(user!, reach);
      }
      const names = hiddenFrom(user, room, known.roles);
      return names ? call(ctx).then((answer) => partOf(answer, names)) : call(ctx);
    };
    return (ctx: Asked) => {
      const elsewhere = ctx.nodeID !== nodeID && ctx.nodeID !== null;
      if (ctx.level > 1 || !published) {
        return elsewhere && !mayCall(ctx.nodeID!, name) ? Promise.reject(notYours(name)) : call(ctx);
      }
      const user = elsewhere && !proofOf(ctx.meta.user) ? undefined : ctx.meta.user;
      const waits = !known.known && user && !user.roles.includes(ADMIN);
      return waits ? known.heard().then(() => ask(ctx, user)) : ask(ctx, user);
    };
  },
};

const ofSome = (permission: string) =>
  new Rejected("NOT_ALLOWED", `This takes ${permission} of all records, and your roles have it of some`, 403, { permission });

const notYours = (action: string) =>
  new Rejected("NODE_NOT_ALLOWED", `${action} is not called by your node's rooms in their own name`, 403);
