import type { User } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { FOREIGN } from "../../mixins/core/ids.ts";
import { type Roles, reachOf, refusalOf } from "../../mixins/core/policy.ts";
import type { UserDocument } from "./users.events.ts";

type Draft = Partial<UserDocument>;

/** An address as it is kept and looked for: without regard to case. */
export const addressOf = (email: string): string => email.normalize("NFKC").toLowerCase();

/** A user as it is kept: his address in its one form, each role, team and channel once. */
export const tidied = (user: Draft): Draft => ({
  ...user,
  ...(user.email !== undefined && { email: addressOf(user.email) }),
  ...(user.roles && { roles: [...new Set(user.roles)] }),
  ...(user.teams && { teams: [...new Set(user.teams)] }),
  ...(user.channels && { channels: [...new Set(user.channels)] }),
});

/** Throws `ID_UNFIT` for an id as whoever another system knows has it: nobody here may be taken for him. */
export const refuseForeign = (id: unknown): void => {
  if (String(id).includes(FOREIGN)) throw new Rejected("ID_UNFIT", `${FOREIGN} stands in the ids of other systems' users`, 422, { id });
};

/** What stands instead of a person: enough to say that somebody did what he has done. */
export const ERASED_USER = { name: "erased", status: "disabled", roles: [], teams: [], language: null };

/** Everybody may see what is kept of himself. Throws `NOT_ALLOWED` for whoever asks about another one and may not read all users. */
export const requireOwn = (asker: User | undefined, id: string, roles: Roles): void => {
  if (asker?.id === id) return;
  const refusal = refusalOf(asker, "users.read", roles);
  if (refusal) throw refusal;
  if (reachOf(asker!, "users.read", roles) !== "all") throw new Rejected("NOT_ALLOWED", "This takes users.read of all users", 403);
};
