import { action } from "../../mixins/core/params.ts";
import { keysOf, sessionsOf } from "./auth.domain.ts";
import { type Auth, accountOf } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";

const time = { type: "string", optional: true } as const;

/** What the room of users puts into what it exports of a person. */
export const exportAccount = action({
  description: "What is kept of a user's logins, without what one could log in with",
  visibility: "public",
  params: { user: shapes.userId },
  returns: {
    password: time,
    secondFactor: time,
    sessions: { type: "array", items: { type: "object" } },
    apiKeys: { type: "array", items: { type: "object" } },
    identities: { type: "array", items: { type: "object" } },
  },
  async handler(this: Auth, ctx) {
    const at = Date.now();
    const account = await accountOf(this, ctx.params.user);
    const { since } = account._second ?? {};
    const { _identities = [] } = account;
    return {
      ...(account.password && { password: account.password }),
      ...(since !== undefined && { secondFactor: iso(since) }),
      sessions: sessionsOf(account, at).map(({ id, began, seen, agent }) => ({
        id,
        began: iso(began),
        seen: iso(seen),
        ...(agent && { agent }),
      })),
      apiKeys: keysOf(account, at).map(({ id, name, roles, made, until }) => ({ id, name, roles, made: iso(made), until: iso(until) })),
      identities: _identities.map((one) => ({ ...one, since: iso(one.since) })),
    };
  },
});

const iso = (at: number) => new Date(at).toISOString();
