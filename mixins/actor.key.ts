import { createHash } from "node:crypto";
import type { Context } from "moleculer";
import type { Meta } from "./core/context.ts";

type Call = Context<unknown, Meta>;

/** Under what a command is known, so that it is recognised when it comes again. */
export interface Key {
  once: string;
  /** What was asked; the same key with another request is refused. */
  digest?: string;
}

/** Caller and key: one caller's key is no other's. A key that we made names the request already, and carries no digest. */
export const keyOf = (
  ctx: Call,
  key: string | null | undefined = ctx.meta.ownKey ? ctx.meta.idempotencyKey : undefined,
): Key | undefined => {
  if (key || key === null) return key ? { once: key } : undefined;
  const { user, idempotencyKey } = ctx.meta;
  return idempotencyKey ? { once: JSON.stringify([user?.id, idempotencyKey]), digest: digestOf(ctx) } : undefined;
};

const digestOf = (ctx: Call) =>
  createHash("sha256")
    .update(JSON.stringify([ctx.action?.name, ctx.params]))
    .digest("base64url")
    .slice(0, 22);
