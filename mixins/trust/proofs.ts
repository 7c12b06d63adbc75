import type { User } from "../core/context.ts";

const proofs = new WeakMap<User, string>();

/** Keeps, beside whoever was verified, the access token that he was verified by: other nodes want to see it themselves. */
export const prove = <U extends User>(user: U, token: string): U => {
  proofs.set(user, token);
  return user;
};

/** What a user was verified by here; undefined of one that somebody only names. */
export const proofOf = (user: User | undefined): string | undefined => user && proofs.get(user);
