import { action } from "../../mixins/core/params.ts";
import type { Effect } from "../../mixins/subscriber.mixin.ts";
import type { UserEvent } from "../users/users.events.ts";
import { followed } from "./auth.domain.ts";
import { type Auth, accountOf, changeAccount } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";

const change = (user: string, active: boolean, roles: readonly string[]): Effect[] => [
  { action: "v1.auth.follow", params: { user, active, roles } },
];

/** What follows for a login when its user changes. */
export const subscriptions = {
  "users.UserSaved": ({ document: { id, status, roles = [] } }: Extract<UserEvent, { type: "UserSaved" }>) =>
    change(id, status !== "disabled", roles),
  "users.UserRemoved": (_: UserEvent, { stream }: { stream: string }) => change(stream, false, []),
};

export const follow = action({
  description: "Ends the logins of a user who is disabled or gone, and the tokens of one whose roles are others now",
  visibility: "protected",
  params: { user: shapes.userId, active: "boolean", roles: { type: "array", items: "string" } },
  returns: {},
  async handler(this: Auth, ctx) {
    const { user, active, roles } = ctx.params;
    const changes = (account: Parameters<typeof followed>[0]) => followed(account, { active, roles }, Date.now());
    if (Object.keys(changes(await accountOf(this, user))).length > 0) await changeAccount(this, ctx, user, changes);
    return {};
  },
});
