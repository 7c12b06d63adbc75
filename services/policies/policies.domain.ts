import type { User } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import {
  ADMIN,
  ANYONE,
  grantsOf,
  isWithin,
  type Kept,
  keepersWithin,
  type Reach,
  ROLES,
  type Roles,
  reachOf,
  refusalOf,
  SOMEBODY,
} from "../../mixins/core/policy.ts";

/** Rooms whose records say who keeps them. In any other, a permission of some records would be one of none. */
const KEPT_ROOMS: ReadonlySet<string> = new Set(["deals"]);

/** The grants as they are kept: each once. Throws `REACH_UNFIT` where a room's records have no keepers. */
export const tidied = (grants: readonly string[]): string[] => {
  for (const grant of grants) {
    const [permission = "", reach = "all"] = grant.split(":");
    const room = permission.split(".")[0]!;
    if (reach !== "all" && !KEPT_ROOMS.has(room)) {
      const rooms = [...KEPT_ROOMS].join(", ");
      throw new Rejected("REACH_UNFIT", `${grant}: only the records of ${rooms} have keepers; say ${permission}`, 422, { grant });
    }
  }
  return [...new Set(grants)];
};

/** Throws `ROLE_FIXED` for the role that nobody may change: without it nobody could change the others. */
export const requireChangeable = (role: string): void => {
  if (role === ADMIN) throw new Rejected("ROLE_FIXED", `What ${ADMIN} may do is fixed: everything`, 409);
};

/** What each role may do: what the policies say, and for the rest what the house gives. */
export const rolesWith = (policies: readonly { id: string; grants: readonly string[] }[]): Roles => ({
  ...ROLES,
  ...Object.fromEntries(policies.filter(({ id }) => id !== ADMIN).map(({ id, grants }) => [id, grants])),
});

export interface Asked {
  readonly user: User;
  readonly permission: string | undefined;
  /** Whether the action heeds keepers. */
  readonly kept: boolean;
  /** The record that it is about, where it is about one. */
  readonly record?: Kept;
}

export interface Verdict {
  allowed: boolean;
  /** Which records the permission reaches. */
  reach?: Reach;
  /** One sentence for each thing that decided. */
  because: string[];
}

/** Whether this user may, and why: what the doors and the rooms decide, said in words. */
export const verdictOn = ({ user, permission, kept, record }: Asked, roles: Roles): Verdict => {
  if (permission === undefined) return { allowed: false, because: ["It declares no permission, so it is nobody's"] };
  if (permission === ANYONE) return { allowed: true, because: ["Anyone may"] };
  if (permission === SOMEBODY) return { allowed: true, because: ["Anyone may who has logged in"] };
  const unknown = user.roles.filter((role) => !Object.hasOwn(roles, role));
  const because = [
    ...unknown.map((role) => `There is no role ${role}`),
    ...grantsOf(user, permission, roles).map(({ role, grant, reach }) => `${role} has ${grant}, of ${sayReach(reach)}`),
  ];
  if (refusalOf(user, permission, roles)) return { allowed: false, because: [...because, `None of the roles has ${permission}`] };
  const reach = reachOf(user, permission, roles)!;
  const keepers = keepersWithin(user, reach);
  if (!keepers) return { allowed: true, reach, because };
  if (!kept) return { allowed: false, reach, because: [...because, `It is done to all records or none, and ${permission} is had of some`] };
  if (!record) return { allowed: true, reach, because };
  const within = isWithin(keepers, record);
  return { allowed: within, reach, because: [...because, `The record is ${within ? "" : "not "}one of these`] };
};

const sayReach = (reach: Reach) =>
  reach === "all" ? "all records" : reach === "own" ? "records that he keeps" : "records that he or his teams keep";
