import type { User } from "../../mixins/core/context.ts";
import { invalid, Rejected } from "../../mixins/core/errors.ts";
import { FOREIGN } from "../../mixins/core/ids.ts";
import { ADMIN } from "../../mixins/core/policy.ts";
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

const MOST_IN_TOKEN = 2_000; // characters as JSON: with all else that a token says it has 3,500, and fits into a browser's cookie

/** The user; throws `VALIDATION_ERROR` where no token could say what he is, for he could log in and do nothing. */
export const fitting = (user: Draft, change: Draft): Draft => {
  const { roles = [], teams = [] } = user;
  if ((change.roles || change.teams) && JSON.stringify([roles, teams]).length > MOST_IN_TOKEN)
    throw invalid(
      "teams",
      "tokenMax",
      `The names of roles and teams are ${MOST_IN_TOKEN} characters together at most, or no token holds them`,
    );
  return user;
};

/**
 * The roles that whoever changes a user must have himself: those that he gives and takes away and, of another user, all; or he could make
 * himself who has more. Who asks by a key of his is another one.
 */
export const rolesTouched = ({ id, machine }: User, before: Draft & { _id?: string } = {}, after: Draft = {}): readonly string[] => {
  const [had, has] = [before.roles ?? [], after.roles ?? []];
  if (before._id !== id || machine) return [...had, ...has];
  return [...had.filter((role) => !has.includes(role)), ...has.filter((role) => !had.includes(role))];
};

/** Ids of those who would be no active administrator after these changes, whether they are one now or not. */
export const losing = (changes: readonly Record<string, unknown>[]): string[] =>
  changes
    .filter(({ removed, status, roles }) => {
      const demoted = roles !== undefined && !(roles as string[] | null)?.includes(ADMIN);
      return removed || demoted || status === "disabled";
    })
    .map(({ id }) => id as string);

/** What stands instead of a person: enough to say that somebody did what he has done. */
export const ERASED_USER = { name: "erased", status: "disabled", roles: [], teams: [], language: null };
