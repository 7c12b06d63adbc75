import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { unfitHash } from "./auth.passwords.ts";
import { type Auth, changeAccount, lookedAfter } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";

export const importHash = action({
  description:
    "Lets a user who has no password log in with that of another system, by the hash which that one kept; it is replaced at his next login",
  rest: "POST /users/:user/hash",
  visibility: "published",
  permission: "auth.manage",
  params: { user: shapes.userId, hash: { type: "string", min: 1, max: 512 } },
  returns: { user: "string", email: "string" },
  async handler(this: Auth, ctx) {
    const { user: id, hash } = ctx.params;
    const user = await lookedAfter(ctx, id);
    const unfit = unfitHash(hash);
    if (unfit) throw new Rejected("HASH_REFUSED", unfit);
    if (user?.status !== "active") throw new Rejected("USER_NOT_ACTIVE", "There is no such user, or he is disabled", 404);
    await changeAccount(this, ctx, id, (account) => {
      if (account._hash !== undefined)
        throw new Rejected("PASSWORD_SET", "This user has a password already, which an import does not undo", 409);
      return { _hash: hash, password: new Date().toISOString(), _roles: user.roles };
    });
    return { user: id, email: user.email };
  },
});
