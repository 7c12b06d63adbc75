import type { User } from "./context.ts";
import { Rejected } from "./errors.ts";

/** Of an action that everybody may call, and of one that everybody may call who has logged in. */
export const ANYONE = "anyone";
export const SOMEBODY = "somebody";

/** What each role may do: permissions as actions declare them, or all that begin with what stands before `*`. */
export type Roles = Readonly<Record<string, readonly string[]>>;

export const ROLES: Roles = {
  admin: ["*"],
};

const covers = (granted: string, permission: string) =>
  granted.endsWith("*") ? permission.startsWith(granted.slice(0, -1)) : granted === permission;

/** Why this user may not do what takes the permission; undefined where he may. */
export const refusalOf = (user: User | undefined, permission: string, roles: Roles = ROLES): Rejected | undefined => {
  if (permission === ANYONE) return undefined;
  if (!user) return new Rejected("LOGIN_REQUIRED", "This takes a login: send an access token, as `Authorization: Bearer …`", 401);
  if (permission === SOMEBODY) return undefined;
  const may = user.roles.some((role) => Object.hasOwn(roles, role) && roles[role]!.some((granted) => covers(granted, permission)));
  return may
    ? undefined
    : new Rejected("NOT_ALLOWED", `This takes the permission ${permission}, which none of your roles has`, 403, { permission });
};
