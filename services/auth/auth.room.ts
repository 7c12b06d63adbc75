import { randomUUIDv7 } from "node:crypto";
import type { Context } from "moleculer";
import type { Collection } from "../../mixins/collection.mixin.ts";
import type { Meta, User } from "../../mixins/core/context.ts";
import { config } from "../../mixins/runtime/config.ts";
import type { Stored } from "../../mixins/storage/collection-store.ts";
import { signed, TOKEN_SECONDS } from "../../mixins/trust/access-token.ts";
import { askerOf, requireRoles } from "../../mixins/trust/asker.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import { type Account, began, type Change, standing } from "./auth.domain.ts";
import type { GuessLimit } from "./auth.guesses.ts";
import type { SigningKeys } from "./auth.keys.ts";
import type { Providers } from "./auth.openid.ts";
import { composed, digestOf, newSecret } from "./auth.tokens.ts";

/** The room as its handlers see it. */
export type Auth = Collection & { keys: SigningKeys; guesses: GuessLimit; providers: Providers };
export type AuthCall = Context<unknown, Meta>;

/** A user as the room of users tells it. */
export interface Known {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
  readonly teams?: readonly string[];
  readonly status: "active" | "disabled";
}

const accountId = (user: string) => `u~${user}`;
export const newAccount = (user: string): Account => ({ user });

/** The account as it is now; whoever has none has an empty one. */
export const accountOf = async (auth: Auth, user: string): Promise<Account> =>
  auth.adapter.documents.consult(() => (auth.adapter.documents.get(accountId(user)) as Account | undefined) ?? newAccount(user));

/** Changes an account as `decide` says, which may run again and must not await; resolves when that is durable. What it throws changes nothing. */
export const changeAccount = (auth: Auth, ctx: AuthCall, user: string, decide: (account: Account) => Change): Promise<Account> =>
  auth.adapter.documents.write(() => {
    const before = auth.adapter.documents.get(accountId(user)) as (Stored & Account) | undefined;
    const change = decide(before ?? newAccount(user)) as Record<string, unknown>;
    const call = ctx as never;
    if (before) auth.change(call, before, change);
    else auth.add(call, accountId(user), { user, ...change });
    return auth.adapter.documents.get(accountId(user)) as unknown as Account;
  });

/** What somebody gets who has logged in: both tokens, and for how many seconds the one for access counts. */
export const grant = async (auth: Auth, { id, roles, teams }: Known, session: string, refresh: string, at: number) => ({
  accessToken: await signed(await auth.keys.current(), config.issuer, { id, roles, teams, session }, TOKEN_SECONDS, at),
  refreshToken: composed(id, session, refresh),
  tokenType: "Bearer" as const,
  expiresIn: TOKEN_SECONDS,
  user: id,
});

/** Lets somebody in who has shown who he is, as known `at`: what `decide` says is stored with the new session, and what it throws lets nobody in. */
export const openSession = async (
  auth: Auth,
  ctx: AuthCall,
  user: Known,
  { at, agent }: { at: number; agent?: string },
  decide: (account: Account) => Change,
) => {
  const [session, secret] = [randomUUIDv7(), newSecret()];
  await changeAccount(auth, ctx, user.id, (account) => {
    const opened = { id: session, began: at, seen: at, refresh: digestOf(secret), spent: [], ...(agent && { agent }) };
    return { ...decide(account), ...began(account, opened, at, ENDED_FOR), _roles: standing(user) };
  });
  return grant(auth, user, session, secret, at);
};

/** The user whose account it is, where he may log in. */
export const activeUser = async (ctx: AuthCall, id: string): Promise<Known | undefined> => {
  const user = await knownUser(ctx, id);
  return user?.status === "active" ? user : undefined;
};

const knownUser = async (ctx: AuthCall, id: string): Promise<Known | undefined> => {
  try {
    return await ctx.call<Known, object>("v1.users.get", { id });
  } catch (error) {
    const gone = ["DOCUMENT_NOT_FOUND", "DOCUMENT_REMOVED"].includes((error as { type?: string }).type ?? "");
    if (gone) return undefined;
    throw error;
  }
};

/** Who asks; the action's permission has seen to it that somebody does. */
export const asker = (ctx: AuthCall): User => askerOf(ctx.meta);

/** The user whose login another one changes, where he is one; throws `NOT_ALLOWED` where that would give more than the asker's own roles. */
export const lookedAfter = async (ctx: AuthCall, id: string): Promise<Known | undefined> => {
  const by = asker(ctx);
  const user = await knownUser(ctx, id);
  requireRoles(by, user?.roles ?? []);
  return user;
};
