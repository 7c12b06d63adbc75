import type { User } from "./context.ts";
import { Rejected } from "./errors.ts";

/** Of an action that everybody may call, and of one that everybody may call who has logged in. */
export const ANYONE = "anyone";
export const SOMEBODY = "somebody";

/** Which records a permission reaches: those that one keeps oneself, those of one's teams as well, or all there are. */
export type Reach = "own" | "team" | "all";

/**
 * What each role may do: permissions as actions declare them (`deals.read`), with `*` for any room or any verb; where it is not for all
 * records, behind a colon for which (`deals.write:own`).
 */
export type Roles = Readonly<Record<string, readonly string[]>>;

const READ = ["customers.read", "products.read", "inventory.read", "deals.read"];

/** Who may do everything: no policy takes anything from this role, for then nobody could give it back. */
export const ADMIN = "admin";

export const ROLES: Roles = {
  [ADMIN]: ["*.*"],
  trader: [...READ, "customers.write", "deals.write", "analytics.read"],
  warehouse: [...READ, "inventory.write"],
  bookkeeper: [...READ, "products.write", "deals.book", "analytics.read", "costs.read"],
  reader: [...READ, "analytics.read"],
  /** Who looks at what others did: what it cost is not his business. */
  auditor: ["audit.read"],
  /** Who keeps it running: what is stuck, what was not taken in. */
  operator: ["sagas.*", "events.*"],
};

/** Fields of a room's answers, at any depth, that not everybody sees who may see what they stand in: they take this permission as well. */
const CONFIDENTIAL = "costs.read";
const FIELDS: Readonly<Record<string, ReadonlySet<string>>> = {
  deals: new Set(["cost", "costs", "margin"]),
  inventory: new Set(["cost", "value"]),
  analytics: new Set(["cost", "margin"]),
};

/** What a grant reaches of a permission; undefined where it does not cover it. */
const reachedBy = (grant: string, permission: string): Reach | undefined => {
  const [granted = "", reach = "all"] = grant.split(":");
  const [room, verb] = granted.split(".");
  const [wantedRoom, wantedVerb] = permission.split(".");
  return (room === "*" || room === wantedRoom) && (verb === "*" || verb === wantedVerb) ? (reach as Reach) : undefined;
};

/**
 * Why this user may not do what takes the permission; undefined where he may. What declares no permission is nobody's: what is forgotten
 * must be shut, not open.
 */
export const refusalOf = (user: User | undefined, permission: string | undefined, roles: Roles = ROLES): Rejected | undefined => {
  if (permission === ANYONE) return undefined;
  if (!user) return new Rejected("LOGIN_REQUIRED", "This takes a login: send an access token, as `Authorization: Bearer …`", 401);
  if (permission === SOMEBODY || (permission !== undefined && has(user, permission, roles))) return undefined;
  return new Rejected("NOT_ALLOWED", `This takes the permission ${permission ?? "of nobody"}, which none of your roles has`, 403, {
    permission,
  });
};

const has = (user: User, permission: string, roles: Roles): boolean => reachOf(user, permission, roles) !== undefined;

const WIDER: Readonly<Record<Reach, number>> = { own: 1, team: 2, all: 3 };

/** What of each role covers a permission, and how far. */
export const grantsOf = (user: User, permission: string, roles: Roles): { role: string; grant: string; reach: Reach }[] =>
  user.roles.flatMap((role) =>
    (Object.hasOwn(roles, role) ? roles[role]! : []).flatMap((grant) => {
      const reach = reachedBy(grant, permission);
      return reach ? [{ role, grant, reach }] : [];
    }),
  );

/** What was found out of users who are what they are (a token's), as long as roles are: each request asks several times. */
const known = new WeakMap<User, { roles: Roles; reach: Map<string, Reach | undefined> }>();

/** How far this user's permission reaches: as far as the widest of what his roles have; undefined where he has it not at all. */
export const reachOf = (user: User, permission: string, roles: Roles = ROLES): Reach | undefined => {
  if (!Object.isFrozen(user)) return widestOf(user, permission, roles);
  let of = known.get(user);
  if (of?.roles !== roles) {
    of = { roles, reach: new Map() };
    known.set(user, of);
  }
  let reach = of.reach.get(permission);
  if (reach === undefined && !of.reach.has(permission)) {
    reach = widestOf(user, permission, roles);
    of.reach.set(permission, reach);
  }
  return reach;
};

const widestOf = (user: User, permission: string, roles: Roles): Reach | undefined =>
  grantsOf(user, permission, roles).reduce<Reach | undefined>((widest, { reach }) => {
    return widest && WIDER[widest] >= WIDER[reach] ? widest : reach;
  }, undefined);

/** Who keeps a record, and in which team; nobody where it does not say. */
export interface Kept {
  readonly owner?: string;
  readonly team?: string;
}

/** Of which keepers somebody sees the records: his own, and of these teams. */
export interface Keepers {
  readonly owner: string;
  readonly teams: readonly string[];
}

/** Whose records are within a user's reach; undefined where all are. */
export const keepersWithin = (user: User, reach: Reach): Keepers | undefined =>
  reach === "all" ? undefined : { owner: user.id, teams: reach === "team" ? (user.teams ?? []) : [] };

/** Whether a record is one of these, or its caller reaches all. */
export const isWithin = (keepers: Keepers | undefined, { owner, team }: Kept): boolean =>
  !keepers || owner === keepers.owner || (team !== undefined && keepers.teams.includes(team));

/** The names of the fields that this user does not see in a room's answers; undefined where he sees all. */
export const hiddenFrom = (user: User | undefined, room: string, roles: Roles = ROLES): ReadonlySet<string> | undefined =>
  FIELDS[room] && !(user && has(user, CONFIDENTIAL, roles)) ? FIELDS[room] : undefined;

/** What is left of an answer without these fields, at any depth; the same object where there is none of them. */
export const without = <T>(answer: T, names: ReadonlySet<string>): T => {
  if (Array.isArray(answer)) {
    const left = answer.map((item) => without(item, names));
    return left.some((item, i) => item !== answer[i]) ? (left as T) : answer;
  }
  if (typeof answer !== "object" || answer === null) return answer;
  const entries = Object.entries(answer);
  const left = entries.flatMap(([name, value]) => (names.has(name) ? [] : [[name, without(value, names)] as const]));
  const same = left.length === entries.length && left.every(([, value], i) => value === entries[i]![1]);
  return same ? answer : (Object.fromEntries(left) as T);
};
