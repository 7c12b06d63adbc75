import { Rejected } from "../../mixins/core/errors.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Milliseconds: a session ends when nobody used it for so long, and at last after so long. */
export const IDLE = 14 * DAY;
export const LONGEST = 90 * DAY;
export const LINK_COUNTS = DAY;
const MOST_SESSIONS = 20;
const MOST_SPENT = 32;
const MOST_ENDED = 50;
const SPARE = 10_000;
const MOST_KEYS = 50;

/** One login on one device. Of its refresh tokens only digests are kept. */
export interface Session {
  readonly id: string;
  readonly began: number;
  readonly seen: number;
  /** Digest of the refresh token that counts, of the one before it, and of those that were spent. */
  readonly refresh: string;
  readonly before?: string;
  readonly spent: readonly string[];
  /** What its client called itself. */
  readonly agent?: string;
}

export interface Link {
  readonly digest: string;
  readonly until: number;
}

export interface SecondFactor {
  readonly secret: string;
  /** The last step whose code was taken; a code is taken once. */
  readonly step: number;
  /** Digests of recovery codes that are left. */
  readonly recovery: readonly string[];
  /** When its secret was given out, to be confirmed by a first code soon. */
  readonly begun: number;
  /** Absent until that code has come. */
  readonly since?: number;
}

/** What lets a machine work in a user's name. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly digest: string;
  /** Of the secret before this one, as long as it counts. */
  readonly before?: { readonly digest: string; readonly until: number };
  readonly made: number;
  readonly until: number;
  readonly seen?: number;
  /** Requests a second, where it may make fewer than its user. */
  readonly rate?: number;
}

/** What somebody is known by at a provider: it logs him in. */
export interface Identity {
  /** Digest of issuer and subject. */
  readonly id: string;
  readonly provider: string;
  readonly issuer: string;
  readonly since: number;
}

/** What is kept of a user's logins. The fields with `_` never leave the room. */
export interface Account {
  readonly user: string;
  readonly password?: string;
  readonly secondFactor?: boolean;
  readonly endedAt?: number;
  readonly _hash?: string;
  readonly _link?: Link;
  readonly _second?: SecondFactor;
  readonly _sessions?: readonly Session[];
  readonly _keys?: readonly ApiKey[];
  readonly _identities?: readonly Identity[];
  /** Their ids: each is one user's alone, and found by. */
  readonly _identityIds?: readonly string[];
  /** Ids of those that were taken back: they log nobody in until he links them himself. */
  readonly _takenBack?: readonly string[];
  /** Sessions ended before their time, as long as a token of theirs may count. */
  readonly _ended?: readonly { readonly id: string; readonly at: number }[];
  /** What the latest tokens say that he is. */
  readonly _roles?: readonly string[];
  /** Set while its user is disabled. */
  readonly _closed?: true;
  /** Tokens made before this are nobody's any more. */
  readonly _voidBefore?: number;
}

/** What is to change of an account; null takes a field away. */
export type Change = { readonly [K in keyof Account]?: Account[K] | null };

const alive = ({ began, seen }: Session, at: number) => at - seen < IDLE && at - began < LONGEST;

export const sessionsOf = ({ _sessions = [] }: Account, at: number): readonly Session[] =>
  _sessions.filter((session) => alive(session, at));

/** One more login. Of more than twenty the one that was not used for longest ends. */
export const began = (account: Account, session: Session, at: number, kept: number): Change => {
  const sessions = [...sessionsOf(account, at), session];
  const oldest = sessions.length > MOST_SESSIONS ? sessions.reduce((a, b) => (a.seen <= b.seen ? a : b)) : undefined;
  return { ...(oldest && ended(account, [oldest.id], at, kept)), _sessions: sessions.filter((one) => one !== oldest) };
};

/**
 * A refresh token is taken once: what follows has `next` for it. One that was spent before was stolen, or its thief has used
 * it first: the session ends for both. Only the one right before the last may come again, once and within ten seconds, for whoever did not
 * get the answer. Throws `REFRESH_INVALID` where it never was one of this session's, or the session is over.
 */
export const refreshed = (account: Account, id: string, digest: string, next: string, at: number, kept: number): Change => {
  const session = sessionsOf(account, at).find((one) => one.id === id);
  if (!session) throw refreshInvalid();
  const { refresh, before, spent, seen } = session;
  const current = digest === refresh;
  const spared = digest === before && at - seen < SPARE && !spent.includes(before);
  if (!current && !spared) {
    if (digest !== before && !spent.includes(digest)) throw refreshInvalid();
    return ended(account, [id], at, kept);
  }
  // a spared one is spent for good, and so is what it was answered with before
  const used = current ? [before ?? ""] : [digest, refresh];
  const all = [...spent, ...used.filter((one) => one !== "" && !spent.includes(one))].slice(-MOST_SPENT);
  const renewed = { ...session, refresh: next, before: digest, spent: all, seen: at };
  return { _sessions: sessionsOf(account, at).map((one) => (one === session ? renewed : one)) };
};

export const refreshInvalid = () => new Rejected("REFRESH_INVALID", "This refresh token does not count; log in again", 401);

/** Ends sessions before their time; `kept` milliseconds is how long a token that they were given may count. */
export const ended = (account: Account, ids: readonly string[], at: number, kept: number): Change => {
  const left = sessionsOf(account, at).filter(({ id }) => !ids.includes(id));
  const recently = (account._ended ?? []).filter((one) => at - one.at < kept);
  const all = [...recently, ...ids.map((id) => ({ id, at }))];
  const many = all.length > MOST_ENDED;
  return { _sessions: left, endedAt: at, ...(many ? { _ended: null, _voidBefore: at } : { _ended: all }) };
};

/**
 * Ends all of them, takes all API keys back, and a link that was given out; tokens given out before count no more, by their time and by their session, for one may be
 * made at this very moment.
 */
export const endedAll = (account: Account, at: number, kept: number): Change => ({
  ...ended(
    account,
    sessionsOf(account, at).map(({ id }) => id),
    at,
    kept,
  ),
  _sessions: null,
  _keys: null,
  _link: null,
  _voidBefore: at,
});

/** A user as his room tells it; `roles` are those and his teams, as `standing` has them. */
export interface Followed {
  readonly active: boolean;
  readonly gone?: boolean;
  readonly roles: readonly string[];
}

/** What a user's tokens say of him, in one list: whoever has another one gets other tokens. */
export const standing = ({ roles, teams = [] }: { roles: readonly string[]; teams?: readonly string[] }): readonly string[] =>
  teams.length === 0 ? roles : [...roles, ...teams.map((team) => `@${team}`)];

/**
 * What becomes of his logins when a user is not what he was: whoever is disabled has none, who is gone leaves nothing to whoever has his id
 * next, and who has other roles gets other tokens with his next refresh; those that he has say what was.
 */
export const followed = (account: Account, { active, gone, roles }: Followed, at: number, kept: number): Change => {
  if (gone) {
    const secrets = { _hash: null, _link: null, _second: null, _identities: null, _identityIds: null, _takenBack: null };
    const nothing = { ...secrets, _roles: null, password: null, secondFactor: null };
    return account._hash || account._link || account._identities || !account._closed
      ? { ...endedAll(account, at, kept), ...nothing, _closed: true }
      : {};
  }
  if (!active) return account._closed ? {} : { ...endedAll(account, at, kept), _closed: true };
  const opened = account._closed ? { _closed: null } : {};
  const { _roles } = account;
  const same = _roles?.length === roles.length && _roles.every((role) => roles.includes(role));
  const noLogin = account._hash === undefined && account._identities === undefined;
  return same || noLogin ? opened : { ...opened, _voidBefore: at, endedAt: at, _roles: roles };
};

/** What a new password makes of an account: whoever was logged in is no more, nor any machine, and no link is left that could set another one. */
export const withPassword = (account: Account, hash: string, at: number, kept: number): Change => ({
  ...endedAll(account, at, kept),
  _hash: hash,
  password: new Date(at).toISOString(),
});

/** Throws `LINK_INVALID` (410) where the link was used, replaced, or has become too old. */
export const takeLink = ({ _link }: Account, digest: string, at: number): void => {
  if (!_link || _link.digest !== digest || at >= _link.until) throw linkInvalid();
};

export const linkInvalid = () =>
  new Rejected("LINK_INVALID", "This link was used, replaced by a newer one, or is older than a day; ask for another one", 410);

export const keysOf = ({ _keys = [] }: Account, at: number): readonly ApiKey[] => _keys.filter(({ until }) => at < until);

/** The key with this secret; undefined where there is none, or it counts no more. */
export const keyFits = (account: Account, id: string, digest: string, at: number): ApiKey | undefined => {
  const key = keysOf(account, at).find((one) => one.id === id);
  const fits = key && (key.digest === digest || (key.before?.digest === digest && at < key.before.until));
  return fits ? key : undefined;
};

/** With a key, new or in the place of what it was. Throws `API_KEYS_TOO_MANY`. */
export const withKey = (account: Account, key: ApiKey, at: number): Change => {
  const others = keysOf(account, at).filter(({ id }) => id !== key.id);
  if (others.length >= MOST_KEYS) throw new Rejected("API_KEYS_TOO_MANY", `A user has ${MOST_KEYS} keys at most; take one back first`, 409);
  return { _keys: [...others, key] };
};

/** Without a key: what doors know of it ends as a session does. */
export const withoutKey = (account: Account, id: string, at: number, kept: number): Change => ({
  ...ended(account, [id], at, kept),
  _keys: keysOf(account, at).filter((key) => key.id !== id),
});
