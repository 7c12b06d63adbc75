import { Rejected } from "../../mixins/core/errors.ts";
import type { Account } from "./auth.domain.ts";
import { hashPassword, verifyNobody, verifyPassword, weakness } from "./auth.passwords.ts";
import { type Auth, type AuthCall, accountOf, activeUser } from "./auth.room.ts";

/** Counts an attempt at what somebody is known by; whoever was right says so afterwards. Throws `LOGIN_SLOWED` (429) where there were too many. */
export const countAttempt = (auth: Auth, known: string): void => {
  const wait = auth.guesses.attempt(known);
  if (wait > 0) throw new Rejected("LOGIN_SLOWED", `There were too many attempts; try again in ${wait} s`, 429, { retryAfter: wait });
};

/** Codes of a second factor are counted for themselves: the right password beside them makes no wrong one right. */
export const codesOf = (user: string): string => `code of ${user}`;

/** Whether it is the password of this hash, or of nobody's. What cannot be looked at now was no attempt. */
export const verified = async (auth: Auth, known: string, password: string, hash: string | undefined) => {
  try {
    return await (hash ? verifyPassword(password, hash) : verifyNobody(password));
  } catch (error) {
    auth.guesses.forgive(known);
    throw error;
  }
};

export const passwordWrong = () => new Rejected("PASSWORD_WRONG", "Your password is another one", 403);

/** For what a stolen token alone must not do. Throws `PASSWORD_WRONG`, and `LOGIN_SLOWED` where it was wrong too often. */
export const requirePassword = async (auth: Auth, user: string, password: string): Promise<Account> => {
  countAttempt(auth, user);
  const account = await accountOf(auth, user);
  const { fits } = await verified(auth, user, password, account._hash);
  if (!fits) throw passwordWrong();
  auth.guesses.right(user);
  return account;
};

/** The hash of a password that may be this user's. Throws `PASSWORD_WEAK`. */
export const acceptable = async (ctx: AuthCall, user: string, password: string): Promise<string> => {
  const found = weakness(password, (await activeUser(ctx, user))?.email ?? "");
  if (found) throw new Rejected("PASSWORD_WEAK", found);
  return hashPassword(password);
};
