import { randomUUIDv7 } from "node:crypto";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { ANYONE, SOMEBODY } from "../../mixins/core/policy.ts";
import type { Provider } from "../../mixins/runtime/issuers.ts";
import { codesOf, countAttempt, requirePassword } from "./auth.check.ts";
import type { Identity } from "./auth.domain.ts";
import { has, identityId, userWith, withIdentity } from "./auth.identities.ts";
import type { Claims } from "./auth.openid.ts";
import { type Auth, type AuthCall, accountOf, activeUser, asker, changeAccount, type Known, openSession } from "./auth.room.ts";
import { LASTS, opened, type State, sealed, type Ticket, takeOnce } from "./auth.sealed.ts";
import { taken } from "./auth.second-factor.ts";
import * as shapes from "./auth.shapes.ts";
import { digestOf, newSecret } from "./auth.tokens.ts";

/** A login asks the provider two or three times: more at once than this wait, and more than that are told to come again. */
const bulkhead = { enabled: true, concurrency: 32, maxQueueSize: 200 };

const provider = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;
const returned = {
  provider,
  code: shapes.brought,
  state: shapes.brought,
  binding: shapes.secret,
  iss: { ...shapes.brought, optional: true },
} as const;
const agent = { ...shapes.agent, optional: true } as const;

/** Known there, nobody here: whether he has no account, or one that is closed, or not linked, is not said. */
const unknownUser = () =>
  new Rejected(
    "PROVIDER_USER_UNKNOWN",
    "The provider knows you, and no user here may log in as who you are there: ask an administrator",
    403,
  );

export const providers = action({
  description: "At which providers one may log in",
  rest: "GET /providers",
  visibility: "published",
  permission: ANYONE,
  params: {},
  returns: { items: { type: "array", items: { type: "object", props: { name: "string" } } } },
  handler(this: Auth) {
    return { items: this.providers.names.map((name) => ({ name })) };
  },
});

export const begin = action({
  description:
    "Begins a login at a provider: the browser keeps `binding` and goes to `url`; what it comes back with goes to finish, within ten minutes",
  rest: "POST /providers/:provider/begin",
  http: { rate: 20 },
  visibility: "published",
  permission: ANYONE,
  params: { provider },
  returns: { url: "string", state: "string", binding: "string" },
  async handler(this: Auth, ctx) {
    const chosen = this.providers.named(ctx.params.provider);
    const [binding, nonce, verifier] = [newSecret(), newSecret(), newSecret()];
    const begun = { id: randomUUIDv7(), provider: chosen.name, binding: digestOf(binding), until: Date.now() + LASTS, nonce, verifier };
    const state = sealed("state of a login", begun);
    return { url: await this.providers.address(chosen, state, begun), state, binding };
  },
});

export const finish = action({
  description:
    "Finishes a login at a provider with what the browser came back with. Where there is a second factor, it is confirm that finishes",
  rest: "POST /providers/:provider/finish",
  http: { session: "begins", rate: 20 },
  visibility: "published",
  permission: ANYONE,
  bulkhead,
  params: { ...returned, agent, cookies: shapes.cookies },
  returns: shapes.granted,
  async handler(this: Auth, ctx) {
    const { chosen, claims, begun } = await cameBack(this, ctx.params);
    const at = Date.now(); // what changes from here on voids what is given
    const { user, identity, known } = await userOf(this, ctx, chosen, claims);
    const { id, provider, binding, until } = begun;
    const ticket: Ticket = { id, provider, binding, until, user: user.id, identity, known, at, agent: ctx.params.agent };
    if ((await accountOf(this, user.id))._second?.since === undefined) return letIn(this, ctx, user, ticket, undefined);
    throw new Rejected("CODE_REQUIRED", "This login has a second factor: confirm it with its code and this ticket", 401, {
      ticket: sealed("ticket of a login", ticket),
    });
  },
});

export const confirm = action({
  description: "Finishes a login at a provider with the second factor's code, and the ticket of the answer that asked for it",
  rest: "POST /providers/:provider/confirm",
  http: { session: "begins", rate: 20 },
  visibility: "published",
  permission: ANYONE,
  params: { provider, ticket: shapes.brought, binding: shapes.secret, code: shapes.code, cookies: shapes.cookies },
  returns: shapes.granted,
  async handler(this: Auth, ctx) {
    const { binding, code } = ctx.params;
    const ticket = opened<Ticket>("ticket of a login", ctx.params.ticket, ctx.params.provider, binding);
    countAttempt(this, codesOf(ticket.user));
    const user = await activeUser(ctx, ticket.user);
    if (!user) throw unknownUser();
    const granted = await letIn(this, ctx, user, ticket, code);
    this.guesses.right(codesOf(user.id));
    return granted;
  },
});

export const linkProvider = action({
  description: "Lets oneself be logged in by a provider from now on, with what the browser came back with from there",
  rest: "POST /providers/:provider/link",
  visibility: "published",
  permission: SOMEBODY,
  bulkhead,
  params: { ...returned, password: shapes.given },
  returns: { id: "string", provider: "string" },
  async handler(this: Auth, ctx) {
    const { id: user } = asker(ctx);
    await requirePassword(this, user, ctx.params.password);
    const { chosen, claims } = await cameBack(this, ctx.params);
    const identity = identityOf(chosen, claims);
    const owner = await userWith(this, identity.id);
    if (owner !== undefined && owner !== user) throw new Rejected("IDENTITY_TAKEN", "Another user is known by this already", 409);
    await changeAccount(this, ctx, user, (account) => (has(account, identity.id) ? {} : withIdentity(account, identity)));
    return { id: identity.id, provider: chosen.name };
  },
});

type Brought = { provider: string; code: string; state: string; binding: string; iss?: string };

const cameBack = async (auth: Auth, { provider: name, state, binding, ...brought }: Brought) => {
  const chosen = auth.providers.named(name);
  const begun = opened<State>("state of a login", state, name, binding);
  const claims = await auth.providers.claims(chosen, { ...brought, state }, begun);
  await takeOnce(auth, "state of a login", begun); // on all nodes, and only now: who has no login there makes us write nothing
  if (chosen.domains && !chosen.domains.includes(domainOf(claims.email))) throw unknownUser();
  return { chosen, claims, begun };
};

/** An address that means another one once it is put in its usual form (ａnn@…) is not the one that was verified: empty for it. */
const domainOf = (email = ""): string => (email === email.normalize("NFKC") ? email.slice(email.lastIndexOf("@") + 1).toLowerCase() : "");

const identityOf = ({ name, issuer }: Provider, { subject }: Claims): Identity => ({
  ...{ id: identityId(issuer, subject), provider: name, issuer, since: Date.now() },
});

/** Whose login it is: who has this identity; else who has its address, or was made from it, where the provider is configured for that. */
const userOf = async (auth: Auth, ctx: AuthCall, chosen: Provider, claims: Claims) => {
  const identity = identityOf(chosen, claims);
  const owner = await userWith(auth, identity.id);
  if (owner !== undefined) {
    const user = await activeUser(ctx, owner);
    if (!user) throw unknownUser();
    return { user, identity, known: true };
  }
  const email = domainOf(claims.email) === "" ? undefined : claims.email;
  if (email === undefined) throw emailUnverified();
  const found =
    (chosen.linkByEmail && (await userByEmail(ctx, email))) || (chosen.createWith && (await made(ctx, chosen, claims, identity)));
  const user = found && (await activeUser(ctx, found));
  if (!user) throw unknownUser();
  return { user, identity, known: false };
};

const emailUnverified = () =>
  new Rejected("EMAIL_UNVERIFIED", "You are not known here yet, and the provider does not say that your e-mail is verified", 403);

const typeOf = (error: unknown): string => (error as { type?: string }).type ?? "";
const OWN_NAME = { meta: { idempotencyKey: undefined, ifVersion: undefined } };

const userByEmail = async (ctx: AuthCall, email: string): Promise<string | undefined> => {
  try {
    const { user } = await ctx.call<{ user?: Known }, object>("v1.users.byEmail", { email: email.toLowerCase() });
    return user?.id;
  } catch (error) {
    if (typeOf(error) === "VALIDATION_ERROR") return undefined; // an address that nobody here can have
    throw error;
  }
};

/** His id follows from the identity: what was cut off after he was made goes on from there, and who was removed is not made anew. */
const made = async (ctx: AuthCall, { createWith }: Provider, { email, name }: Claims, identity: Identity): Promise<string | undefined> => {
  const id = identity.id.slice(0, 32);
  const fields = { id, email, name: name ?? email?.slice(0, 200), roles: createWith };
  try {
    await ctx.call<Known, object>("v1.users.create", fields, OWN_NAME as never);
  } catch (error) {
    if (typeOf(error) === "DOCUMENT_EXISTS") return id;
    if (["VALUE_TAKEN", "DOCUMENT_REMOVED", "VALIDATION_ERROR"].includes(typeOf(error))) return undefined;
    throw error;
  }
  return id;
};

/** Opens a session; what was true when it was found out who he is must still be. */
const letIn = async (auth: Auth, ctx: AuthCall, user: Known, ticket: Ticket, code: string | undefined) => {
  const { identity, known, at, agent } = ticket;
  if (code !== undefined) taken(await accountOf(auth, user.id), code, Date.now()); // a wrong one leaves the ticket for another try
  if (code !== undefined) await takeOnce(auth, "ticket of a login", ticket);
  return openSession(auth, ctx, user, { at, agent }, (account) => {
    const ended = known ? !has(account, identity.id) : account._takenBack?.includes(identity.id);
    if ((account._voidBefore ?? 0) > at || ended) throw unknownUser();
    return { ...taken(account, code, Date.now()), ...(has(account, identity.id) ? {} : withIdentity(account, identity)) };
  });
};
