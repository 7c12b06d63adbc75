import type { Meta, User } from "../core/context.ts";
import { Rejected } from "../core/errors.ts";
import { ADMIN } from "../core/policy.ts";

/** Who asks, where that must be a person: a machine may neither change how its user logs in nor read what is kept of him. */
export const askerOf = ({ user }: Meta): User => {
  if (!user) throw new Rejected("LOGIN_REQUIRED", "This takes a login", 401);
  if (user.machine) throw new Rejected("NOT_ALLOWED", "This is for people: an API key does not log in", 403);
  return user;
};

/** Throws `NOT_ALLOWED` where one of these roles is not the user's own: who gives it, or gets at whoever has it, has what it may do. */
export const requireRoles = (user: User, roles: readonly string[]): void => {
  const missing = user.roles.includes(ADMIN) ? [] : [...new Set(roles)].filter((role) => !user.roles.includes(role));
  if (missing.length === 0) return;
  throw new Rejected(
    "NOT_ALLOWED",
    `This is for whoever has the same roles himself, or ${ADMIN}; you have not: ${missing.join(", ")}`,
    403,
    {
      roles: missing,
    },
  );
};
