import type { User } from "./context.ts";
import { Rejected } from "./errors.ts";

/** Of an action that everybody may call, and of one that everybody may call who has logged in. */
export const ANYONE = "anyone";
export const SOMEBODY = "somebody";

/** What each role may do: permissions as actions declare them (`deals.read`), with `*` for any room or any verb. */
export type Roles = Readonly<Record<string, readonly string[]>>;

const READ = ["customers.read", "products.read", "inventory.read", "deals.read"];

export const ROLES: Roles = {
  admin: ["*.*"],
  trader: [...READ, "customers.write", "deals.write", "analytics.read"],
  warehouse: [...READ, "inventory.write"],
  bookkeeper: [...READ, "products.write", "deals.book", "analytics.read"],
  reader: [...READ, "analytics.read"],
  /** Who keeps it running: what is stuck, what was not taken in. */
  operator: ["sagas.*", "events.*"],
};

const covers = (granted: string, permission: string): boolean => {
  const [room, verb] = granted.split(".");
  const [wantedRoom, wantedVerb] = permission.split(".");
  return (room === "*" || room === wantedRoom) && (verb === "*" || verb === wantedVerb);
};

/**
 * Why this user may not do what takes the permission; undefined where he may. What declares no permission is nobody's: what is forgotten
 * must be shut, not open.
 */
export const refusalOf = (user: User | undefined, permission: string | undefined, roles: Roles = ROLES): Rejected | undefined => {
  if (permission === ANYONE) return undefined;
  if (!user) return new Rejected("LOGIN_REQUIRED", "This takes a login: send an access token, as `Authorization: Bearer …`", 401);
  if (permission === SOMEBODY) return undefined;
  if (permission !== undefined && permissionsOf(user.roles, roles).some((granted) => covers(granted, permission))) return undefined;
  return new Rejected("NOT_ALLOWED", `This takes the permission ${permission ?? "of nobody"}, which none of your roles has`, 403, {
    permission,
  });
};

const permissionsOf = (names: readonly string[], roles: Roles) => names.flatMap((role) => (Object.hasOwn(roles, role) ? roles[role]! : []));
