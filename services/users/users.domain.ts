import { Rejected } from "../../mixins/core/errors.ts";
import { FOREIGN } from "../../mixins/core/ids.ts";
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
