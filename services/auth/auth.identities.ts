import { createHash } from "node:crypto";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { SOMEBODY } from "../../mixins/core/policy.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import { type Account, type Change, endedAll, type Identity } from "./auth.domain.ts";
import { type Auth, accountOf, asker, changeAccount, lookedAfter } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";

const MOST = 10;
const MOST_TAKEN_BACK = 100;

/** What a subject of an issuer is known by. Written as JSON no two are the same, whatever is in them. */
export const identityId = (issuer: string, subject: string): string =>
  createHash("sha256")
    .update(JSON.stringify([issuer, subject]))
    .digest("hex");

export const has = ({ _identities = [] }: Account, id: string): boolean => _identities.some((one) => one.id === id);

/** With one more. An issuer knows a user once: were his address given to somebody else there, that one must not get in beside him. Throws `IDENTITY_TAKEN`. */
export const withIdentity = ({ _identities = [], _takenBack }: Account, identity: Identity): Change => {
  if (_identities.some(({ issuer }) => issuer === identity.issuer))
    throw new Rejected(
      "IDENTITY_TAKEN",
      "This user is known at this provider as somebody else already; that has to be taken back first",
      409,
    );
  if (_identities.length >= MOST) throw new Rejected("IDENTITY_TAKEN", `A user has ${MOST} of these at most`, 409);
  const left = _takenBack?.filter((id) => id !== identity.id);
  return { ...listed([..._identities, identity]), ...(_takenBack && { _takenBack: left!.length > 0 ? left : null }) };
};

/** Without these: the provider's word alone brings none of them back, or they would be there again with the next login. */
const takenBack = ({ _identities = [], _takenBack = [] }: Account, ended: readonly Identity[]): Change => ({
  ...listed(_identities.filter((one) => !ended.includes(one))),
  _takenBack: [...new Set([..._takenBack, ...ended.map(({ id }) => id)])].slice(-MOST_TAKEN_BACK),
});

const listed = (identities: readonly Identity[]): Change => ({
  _identities: identities.length > 0 ? identities : null,
  _identityIds: identities.length > 0 ? identities.map(({ id }) => id) : null,
});

/** The user with this identity, if anybody has it. */
export const userWith = async (auth: Auth, id: string): Promise<string | undefined> => {
  const [account] = await auth.adapter.documents.find({ query: { _identityIds: id }, limit: 1 });
  return account?.user as string | undefined;
};

const identity = { id: "string", provider: "string", issuer: "string", since: "string" } as const;

export const identities = action({
  description: "At which providers one is known, and logs in by",
  rest: "GET /identities",
  visibility: "published",
  permission: SOMEBODY,
  params: {},
  returns: { items: { type: "array", items: { type: "object", props: identity } } },
  async handler(this: Auth, ctx) {
    const { _identities = [] } = await accountOf(this, asker(ctx).id);
    return { items: _identities.map((one) => ({ ...one, since: new Date(one.since).toISOString() })) };
  },
});

export const removeIdentity = action({
  description: "Logs in by it no more. Sessions that it began go on: /auth/sessions ends them",
  rest: "DELETE /identities/:identity",
  visibility: "published",
  permission: SOMEBODY,
  params: { identity: shapes.sessionId },
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    await changeAccount(this, ctx, asker(ctx).id, (account) => {
      if (!has(account, ctx.params.identity)) throw new Rejected("IDENTITY_NOT_FOUND", "You have no such identity", 404);
      const left = account._identities!.filter(({ id }) => id !== ctx.params.identity);
      if (left.length === 0 && account._hash === undefined)
        throw new Rejected("IDENTITY_LAST", "Nothing else logs you in: have yourself given a link for a password first", 409);
      return takenBack(
        account,
        account._identities!.filter(({ id }) => id === ctx.params.identity),
      );
    });
    return { ended: 1 };
  },
});

export const endIdentities = action({
  description: "Takes all identities of a user's back, and ends all of his sessions and API keys",
  rest: "POST /users/:user/identities/end",
  visibility: "published",
  permission: "auth.manage",
  params: { user: shapes.userId },
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    await lookedAfter(ctx, ctx.params.user);
    const { _identities = [] } = await accountOf(this, ctx.params.user);
    await changeAccount(this, ctx, ctx.params.user, (account) => ({
      ...endedAll(account, Date.now(), ENDED_FOR),
      ...takenBack(account, account._identities ?? []),
    }));
    return { ended: _identities.length };
  },
});
