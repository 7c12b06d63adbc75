import { action } from "../../mixins/core/params.ts";
import type { Effect } from "../../mixins/subscriber.mixin.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import type { UserEvent } from "../users/users.events.ts";
import { type Account, type Followed, followed, standing } from "./auth.domain.ts";
import { type Auth, accountOf, changeAccount } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";

const change = (user: string, followed: Followed): Effect[] => [{ action: "v1.auth.follow", params: { user, ...followed } }];

/** What follows for a login when its user changes. */
export const subscriptions = {
  "users.UserSaved": ({ document: { id, status, roles = [], teams, erasedAt } }: Extract<UserEvent, { type: "UserSaved" }>) =>
    change(id, {
      active: status !== "disabled",
      roles: standing({ roles, teams }),
      ...(erasedAt && status === "disabled" && { gone: true }),
    }),
  "users.UserRemoved": (_: UserEvent, { stream }: { stream: string }) => change(stream, { active: false, gone: true, roles: [] }),
};

export const follow = action({
  description: "Ends the logins of a user who is disabled or gone, and the tokens of one whose roles are others now",
  visibility: "protected",
  params: { user: shapes.userId, active: "boolean", gone: { type: "boolean", optional: true }, roles: { type: "array", items: "string" } },
  returns: {},
  async handler(this: Auth, ctx) {
    const { user, active, gone, roles } = ctx.params;
    const changes = (account: Account) => followed(account, { active, gone, roles }, Date.now(), ENDED_FOR);
    if (Object.keys(changes(await accountOf(this, user))).length > 0) await changeAccount(this, ctx, user, changes);
    return {};
  },
});
