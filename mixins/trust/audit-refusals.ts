import type { Context, Middleware, ServiceBroker } from "moleculer";
import type { Meta } from "../core/context.ts";
import { refusalsOf } from "./refusals.ts";

type Call = Context<unknown, Meta>;
interface Declared {
  name: string;
  visibility?: string;
  rest?: unknown;
  service?: { metadata?: { outcomes?: boolean } };
}

const ID = /^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}$/;

/** Whether an outcome is one that is written down: refusals of what was asked, not of its form, nor what failed. */
export const isRefusal = (status: unknown): status is number =>
  typeof status === "number" && status >= 401 && status <= 422 && ![405, 406, 408, 413, 414, 415].includes(status);

const outcomeOf = (ctx: Call, action: string) => {
  const { user, from, cause } = ctx.meta;
  const { id: given, user: whose } = (ctx.params ?? {}) as { id?: unknown; user?: unknown };
  const id = given ?? whose;
  const resource = typeof id === "string" && ID.test(id) ? `${action.split(".")[1]}/${id}` : undefined;
  return { action, user, from, cause, request: ctx.requestID ?? undefined, resource };
};

/**
 * Tells the audit room of commands that were refused here, whoever refused them: the policy, the form of what is asked, or the room's own rules.
 * Of rooms that say so (`metadata: { outcomes: true }`), because their events do not tell what was asked, also of those that went through.
 */
export const auditRefusals: Middleware = {
  name: "AuditRefusals",
  localAction(this: ServiceBroker, next: unknown, action: unknown) {
    const { name, visibility, rest, service } = action as Declared;
    if (visibility !== "published" || typeof rest !== "string" || rest.startsWith("GET ")) return next;
    const refusals = refusalsOf(this);
    const call = next as (ctx: Call) => Promise<unknown>;
    const both = service?.metadata?.outcomes === true;
    return (ctx: Call) => {
      const answer = call(ctx);
      if (ctx.level > 1) return answer;
      const refused = ({ type, code }: { type?: string; code?: unknown }) => {
        if (isRefusal(code)) refusals.report({ ...outcomeOf(ctx, name), result: "refused", code: type ?? "", status: code });
      };
      const accepted = (found: unknown) => {
        const { user } = (found ?? {}) as { user?: unknown };
        const who = ctx.meta.user ?? (typeof user === "string" ? { id: user } : undefined); // whoever has just logged in
        refusals.report({ ...outcomeOf(ctx, name), user: who, result: "accepted" });
      };
      void answer.then(both ? accepted : undefined, refused);
      return answer;
    };
  },
  async stopping(broker: ServiceBroker) {
    await refusalsOf(broker).flush(true);
  },
} as unknown as Middleware;
