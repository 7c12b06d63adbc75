import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { ANYONE, SOMEBODY } from "../../mixins/core/policy.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import { acceptable, codesOf, countAttempt, passwordWrong, requirePassword, verified } from "./auth.check.ts";
import { ended, endedAll, refreshed, refreshInvalid, sessionsOf, standing, withPassword } from "./auth.domain.ts";
import { hashPassword } from "./auth.passwords.ts";
import { type Auth, type AuthCall, accountOf, activeUser, asker, changeAccount, grant, type Known, openSession } from "./auth.room.ts";
import { taken } from "./auth.second-factor.ts";
import * as shapes from "./auth.shapes.ts";
import { digestOf, newSecret, parted } from "./auth.tokens.ts";

const wrong = () => new Rejected("LOGIN_FAILED", "E-mail and password do not belong together, or this login is closed", 401);

/** Whoever is told no is told the same for the same time: a wrong password, nobody's e-mail, a user who is disabled or has no password yet. */
export const login = action({
  description: "Logs in with e-mail and password, and the second factor's code where there is one",
  rest: "POST /login",
  http: { session: "begins", rate: 20 },
  visibility: "published",
  permission: ANYONE,
  params: {
    email: shapes.email,
    password: shapes.given,
    code: { ...shapes.code, optional: true },
    agent: { ...shapes.agent, optional: true },
    cookies: shapes.cookies,
  },
  returns: shapes.granted,
  async handler(this: Auth, ctx) {
    const { password, code, agent } = ctx.params;
    const address = ctx.params.email.normalize("NFKC").toLowerCase();
    const { user: known } = await ctx.call<{ user?: Known }, object>("v1.users.byEmail", { email: address });
    countAttempt(this, address);
    const account = known && (await accountOf(this, known.id));
    const { fits, outdated } = await verified(this, address, password, account?._hash);
    const at = Date.now(); // what changes from here on voids what is given
    const user = fits && known ? await activeUser(ctx, known.id) : undefined; // again: that took a while
    if (!user) throw wrong();
    if (account!._second?.since !== undefined && code === undefined) {
      throw new Rejected("CODE_REQUIRED", "This login has a second factor: send its code as well", 401);
    }
    const rehashed = outdated ? await hashPassword(password) : undefined;
    if (code !== undefined) countAttempt(this, codesOf(user.id));
    const granted = await openSession(this, ctx, user, { at, agent }, (now) => {
      if (now._hash !== account!._hash) throw wrong(); // it was changed meanwhile
      return { ...taken(now, code, at), ...(rehashed && { _hash: rehashed }) };
    });
    for (const guessed of [address, codesOf(user.id)]) this.guesses.right(guessed);
    return granted;
  },
});

export const refresh = action({
  description: "Exchanges a refresh token for the next one and a new access token. One that comes twice ends its session",
  rest: "POST /refresh",
  http: { session: "goesOn" },
  visibility: "published",
  permission: ANYONE,
  params: { refreshToken: { ...shapes.secret, optional: true } }, // a browser's is in its cookies
  returns: shapes.granted,
  async handler(this: Auth, ctx) {
    const token = parted(ctx.params.refreshToken ?? "");
    if (!token) throw refreshInvalid();
    const { user: id, about: session, digest } = token;
    if (!(await accountOf(this, id))._sessions) throw refreshInvalid(); // nothing is written for what anybody can make up
    const [secret, at] = [newSecret(), Date.now()];
    const user = await activeUser(ctx, id);
    const after = await changeAccount(this, ctx, id, (account) => {
      const change = refreshed(account, session, digest, digestOf(secret), at, ENDED_FOR); // first: only who has a token of it changes anything
      return user ? { ...change, _roles: standing(user) } : ended(account, [session], at, ENDED_FOR);
    });
    if (!user || !sessionsOf(after, at).some((one) => one.id === session)) {
      throw new Rejected("SESSION_ENDED", "This refresh token had been used before, so its session has ended: log in again", 401);
    }
    return grant(this, user, session, secret, at);
  },
});

export const logout = action({
  description: "Ends the session that asks: its tokens count nowhere within a second",
  rest: "POST /logout",
  http: { session: "ends", remedy: true },
  visibility: "published",
  permission: SOMEBODY,
  params: {},
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    const { id, session } = asker(ctx);
    return session ? end(this, ctx, id, [session]) : { ended: 0 };
  },
});

export const sessions = action({
  description: "Where one is logged in",
  rest: "GET /sessions",
  visibility: "published",
  permission: SOMEBODY,
  params: {},
  returns: { items: { type: "array", items: { type: "object", props: shapes.session } } },
  async handler(this: Auth, ctx) {
    const { id, session } = asker(ctx);
    const iso = (at: number) => new Date(at).toISOString();
    const open = sessionsOf(await accountOf(this, id), Date.now());
    const told = open.map((one) => ({
      id: one.id,
      began: iso(one.began),
      seen: iso(one.seen),
      current: one.id === session,
      agent: one.agent,
    }));
    return { items: told };
  },
});

export const endSession = action({
  description: "Ends one of one's own sessions",
  rest: "DELETE /sessions/:session",
  http: { remedy: true },
  visibility: "published",
  permission: SOMEBODY,
  params: { session: shapes.sessionId },
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    const { id } = asker(ctx);
    const known = sessionsOf(await accountOf(this, id), Date.now()).some((one) => one.id === ctx.params.session);
    if (!known) throw new Rejected("SESSION_NOT_FOUND", "You have no such session", 404);
    return end(this, ctx, id, [ctx.params.session]);
  },
});

export const endAll = action({
  description: "Ends all sessions of a user, and takes his API keys back",
  rest: "POST /users/:user/end-sessions",
  http: { remedy: true },
  visibility: "published",
  permission: "auth.manage",
  params: { user: shapes.userId },
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    asker(ctx);
    const { user } = ctx.params;
    const open = sessionsOf(await accountOf(this, user), Date.now()).length;
    await changeAccount(this, ctx, user, (account) => endedAll(account, Date.now(), ENDED_FOR));
    return { ended: open };
  },
});

export const changePassword = action({
  description: "Sets another password; all sessions end, also the one that asks, and all API keys",
  rest: "POST /password",
  http: { session: "ends", remedy: true },
  visibility: "published",
  permission: SOMEBODY,
  params: { current: shapes.given, password: shapes.given },
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    const { id } = asker(ctx);
    const account = await requirePassword(this, id, ctx.params.current);
    const hash = await acceptable(ctx, id, ctx.params.password);
    await changeAccount(this, ctx, id, (now) => {
      if (now._hash !== account._hash) throw passwordWrong(); // it was changed meanwhile
      return withPassword(now, hash, Date.now(), ENDED_FOR);
    });
    return { ended: sessionsOf(account, Date.now()).length };
  },
});

const end = async (auth: Auth, ctx: AuthCall, user: string, ids: string[]) => {
  await changeAccount(auth, ctx, user, (account) => ended(account, ids, Date.now(), ENDED_FOR));
  return { ended: ids.length };
};
