import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { ANYONE } from "../../mixins/core/policy.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import { acceptable } from "./auth.check.ts";
import { LINK_COUNTS, linkInvalid, standing, takeLink, withPassword } from "./auth.domain.ts";
import { type Auth, type AuthCall, accountOf, activeUser, changeAccount, type Known, lookedAfter } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";
import { composed, digestOf, newSecret, parted } from "./auth.tokens.ts";

const ABOUT = "link";
const FIRST = { id: "administrator", name: "Administrator", email: "administrator@banyan.invalid", roles: ["admin"] };

const link = { link: "string", until: "string" } as const;

/** A link by which a user sets a password, once and within a day; one that was made before counts no more. */
const makeLink = async (auth: Auth, ctx: AuthCall, user: string) => {
  const [secret, until] = [newSecret(), Date.now() + LINK_COUNTS];
  await changeAccount(auth, ctx, user, () => ({ _link: { digest: digestOf(secret), until } }));
  return { link: `/welcome#${composed(user, ABOUT, secret)}`, until: new Date(until).toISOString() };
};

export const invite = action({
  description: "A link by which a user sets a password, his first or, where he has forgotten it, another one: hand it to him alone",
  rest: "POST /users/:user/link",
  visibility: "published",
  permission: "auth.manage",
  params: { user: shapes.userId },
  returns: link,
  async handler(this: Auth, ctx) {
    const { user } = ctx.params;
    if ((await lookedAfter(ctx, user))?.status !== "active")
      throw new Rejected("USER_NOT_ACTIVE", "There is no such user, or he is disabled", 404);
    return makeLink(this, ctx, user);
  },
});

export const redeem = action({
  description: "Sets the password that a link is for",
  rest: "POST /redeem",
  visibility: "published",
  permission: ANYONE,
  params: { link: shapes.secret, password: shapes.given },
  returns: { user: "string", email: "string" },
  async handler(this: Auth, ctx) {
    const token = parted(ctx.params.link.slice(ctx.params.link.indexOf("#") + 1));
    if (token?.about !== ABOUT) throw linkInvalid();
    const { user: id, digest } = token;
    takeLink(await accountOf(this, id), digest, Date.now()); // before a hash is made for whoever asks
    const user = await activeUser(ctx, id);
    if (!user) throw linkInvalid();
    const hash = await acceptable(ctx, id, ctx.params.password);
    await changeAccount(this, ctx, id, (account) => {
      takeLink(account, digest, Date.now());
      return { ...withPassword(account, hash, Date.now(), ENDED_FOR), _roles: standing(user) };
    });
    return { user: id, email: user.email };
  },
});

/** While nobody has ever set a password there is one administrator, and each start makes him a new link: what it says is on the console of whoever started. */
export const firstLink = action({
  description: "A link for the first administrator, while nobody can log in yet",
  visibility: "protected",
  params: {},
  returns: { link: { type: "string", optional: true }, email: { type: "string", optional: true } },
  async handler(this: Auth, ctx) {
    const known = await this.adapter.documents.find({ query: { password: { $exists: true } }, limit: 1 });
    if (known.length > 0) return {};
    const { email } = await ctx.call<Known, object>("v1.users.create", FIRST).catch((error: { type?: string }) => {
      if (error.type === "DOCUMENT_EXISTS") return ctx.call<Known, object>("v1.users.get", { id: FIRST.id });
      throw error;
    });
    return { ...(await makeLink(this, ctx, FIRST.id)), email };
  },
});
