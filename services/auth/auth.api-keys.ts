import { randomUUIDv7 } from "node:crypto";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { ANYONE, SOMEBODY } from "../../mixins/core/policy.ts";
import { config } from "../../mixins/runtime/config.ts";
import { API_KEY, signed } from "../../mixins/trust/access-token.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import { requirePassword } from "./auth.check.ts";
import { type ApiKey, keyFits, keysOf, withKey, withoutKey } from "./auth.domain.ts";
import { type Auth, accountOf, activeUser, asker, changeAccount } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";
import { composed, digestOf, newSecret, parted } from "./auth.tokens.ts";

const DAY = 86_400_000;
const OVERLAP = DAY; // for so long the old secret counts beside the new one
const SEEN = 3_600_000; // milliseconds between two notes that a key is in use
const COUNTS = 300_000; // milliseconds that a door may keep what it was told, unless it hears that the key is no more

const keyNotFound = () => new Rejected("API_KEY_NOT_FOUND", "You have no such key", 404);
const keyInvalid = () => new Rejected("API_KEY_INVALID", "This API key was never made, was taken back, or has expired", 401);

const iso = (at: number) => new Date(at).toISOString();
const shown = ({ id, name, roles, made, until, seen, rate }: ApiKey) => ({
  ...{ id, name, roles: [...roles], made: iso(made), until: iso(until) },
  ...(seen !== undefined && { seen: iso(seen) }),
  ...(rate !== undefined && { rate }),
});

export const createKey = action({
  description: "A key for a machine that works in one's own name, with no more roles than one has. It is shown this once",
  rest: "POST /keys",
  http: { status: 201 },
  visibility: "published",
  permission: SOMEBODY,
  params: {
    password: shapes.given,
    name: shapes.agent,
    roles: { type: "array", items: shapes.roleName, min: 1, max: 20 },
    days: shapes.days,
    rate: shapes.rate,
  },
  returns: { ...shapes.apiKey, key: "string" },
  async handler(this: Auth, ctx) {
    const { id: user, roles: own } = asker(ctx);
    const { name, roles, days = 90, password, rate } = ctx.params;
    const beyond = roles.filter((role) => !own.includes(role));
    if (beyond.length > 0) throw new Rejected("NOT_ALLOWED", `You have not the role ${beyond.join(", ")} yourself`, 403);
    await requirePassword(this, user, password);
    const [secret, made] = [newSecret(), Date.now()];
    const key: ApiKey = {
      id: randomUUIDv7(),
      name,
      roles,
      digest: digestOf(secret),
      made,
      until: made + days * DAY,
      ...(rate && { rate }),
    };
    await changeAccount(this, ctx, user, (account) => withKey(account, key, made));
    return { ...shown(key), key: API_KEY + composed(user, key.id, secret) };
  },
});

export const listKeys = action({
  description: "One's own keys for machines, without their secrets",
  rest: "GET /keys",
  visibility: "published",
  permission: SOMEBODY,
  params: {},
  returns: { items: { type: "array", items: { type: "object", props: shapes.apiKey } } },
  async handler(this: Auth, ctx) {
    return { items: keysOf(await accountOf(this, asker(ctx).id), Date.now()).map(shown) };
  },
});

export const rotateKey = action({
  description: "Another secret for a key, shown this once; the one before counts for a day more",
  rest: "POST /keys/:key/rotate",
  visibility: "published",
  permission: SOMEBODY,
  params: { password: shapes.given, key: shapes.sessionId },
  returns: { ...shapes.apiKey, key: "string" },
  async handler(this: Auth, ctx) {
    const { id: user } = asker(ctx);
    await requirePassword(this, user, ctx.params.password);
    const [secret, at] = [newSecret(), Date.now()];
    const rotated = ({ digest, ...rest }: ApiKey): ApiKey => {
      return { ...rest, digest: digestOf(secret), before: { digest, until: at + OVERLAP }, until: at + (rest.until - rest.made), made: at };
    };
    const after = await changeAccount(this, ctx, user, (account) => {
      const key = keysOf(account, at).find(({ id }) => id === ctx.params.key);
      if (!key) throw keyNotFound();
      return withKey(account, rotated(key), at);
    });
    const key = keysOf(after, at).find(({ id }) => id === ctx.params.key)!;
    return { ...shown(key), key: API_KEY + composed(user, key.id, secret) };
  },
});

export const removeKey = action({
  description: "Takes a key back: it counts nowhere within a second",
  rest: "DELETE /keys/:key",
  http: { remedy: true },
  visibility: "published",
  permission: SOMEBODY,
  params: { key: shapes.sessionId },
  returns: shapes.count,
  async handler(this: Auth, ctx) {
    const at = Date.now();
    await changeAccount(this, ctx, asker(ctx).id, (account) => {
      if (!keysOf(account, at).some(({ id }) => id === ctx.params.key)) throw keyNotFound();
      return withoutKey(account, ctx.params.key, at, ENDED_FOR);
    });
    return { ended: 1 };
  },
});

/** Whose a key is, for a door that has seen it for the first time. It has the roles that it was made with and its user still has. */
export const readKey = action({
  description: "Who asks by an API key",
  visibility: "public",
  permission: ANYONE,
  params: { key: shapes.secret },
  returns: { user: "object", until: "number", token: "string" },
  async handler(this: Auth, ctx) {
    const token = parted(ctx.params.key.slice(API_KEY.length));
    const at = Date.now();
    const key = token && keyFits(await accountOf(this, token.user), token.about, token.digest, at);
    const user = key && (await activeUser(ctx, token.user));
    if (!user) throw keyInvalid();
    if (at - (key.seen ?? 0) > SEEN) {
      await changeAccount(this, ctx, user.id, (account) => {
        const now = keysOf(account, at).find(({ id }) => id === key.id);
        return now ? withKey(account, { ...now, seen: at }, at) : {};
      });
    }
    const roles = key.roles.filter((role) => user.roles.includes(role));
    const asks = { id: user.id, roles, teams: user.teams, session: key.id, machine: true, ...(key.rate && { rate: key.rate }) } as const;
    const until = Math.min(key.until, at + COUNTS);
    const proof = await signed(await this.keys.current(), config.issuer, asks, Math.max(1, Math.ceil((until - at) / 1_000)), at);
    return { user: asks, until, token: proof };
  },
});
