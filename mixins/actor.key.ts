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

/** Caller and key: one caller's key is no other's. A key that we made names the request already, and carries a digest only where `asked` says of what. */
export const keyOf = (
  ctx: Call,
  key: string | null | undefined = ctx.meta.ownKey ? ctx.meta.idempotencyKey : undefined,
  asked?: string,
): Key | undefined => {
  if (key === null) return undefined;
  if (key) return asked === undefined ? { once: key } : { once: key, digest: digest(asked) };
  const { user, idempotencyKey } = ctx.meta;
  return idempotencyKey ? { once: JSON.stringify([user?.id, idempotencyKey]), digest: digestOf(ctx) } : undefined;
};

/** What came under a key without a digest was known by its key alone. */
export const sameRequest = (before: { digest?: string }, { digest }: Key): boolean =>
  before.digest === undefined || before.digest === digest;

const digestOf = (ctx: Call) => digest(JSON.stringify([ctx.action?.name, ctx.params]));

const digest = (text: string) => createHash("sha256").update(text).digest("base64url").slice(0, 22);
