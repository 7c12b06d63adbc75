import { config } from "../../mixins/runtime/config.ts";
import { rewrapped } from "../../mixins/trust/master-key.ts";
import type { Account } from "./auth.domain.ts";
import { type Auth, type AuthCall, changeAccount } from "./auth.room.ts";
import { PURPOSE } from "./auth.second-factor.ts";

const PAGE = 200;
const NOBODY = { meta: {} } as AuthCall;

/**
 * After the master key has changed: wraps anew what the one before has wrapped in this room, so that this can be forgotten. It may be broken off
 * and run again. Answers how much it was; with `look` it changes nothing.
 */
export const rewrapSecrets = async (auth: Auth, look = false): Promise<number> => {
  if (!config.masterKeyPrevious) return 0;
  let found = await auth.keys.rewrap(look);
  for await (const user of usersOf(auth)) {
    const outdated = await auth.adapter.documents.consult(() => secondOf(auth.adapter.documents.get(`u~${user}`) as Account | undefined));
    if (!outdated) continue;
    found++;
    if (!look) await changeAccount(auth, NOBODY, user, (account) => (secondOf(account) ? { _second: secondOf(account)! } : {}));
  }
  return found;
};

async function* usersOf(auth: Auth): AsyncGenerator<string> {
  for (let after = ""; ; ) {
    const { commits, next } = await auth.adapter.documents.record(after, PAGE);
    yield* commits.flatMap(({ events }) => (events[0]?.document?.user as string | undefined) || []);
    if (next === after) return;
    after = next;
  }
}

const secondOf = (account: Account | undefined) => {
  const secret = account?._second && rewrapped(PURPOSE, account._second.secret);
  return secret ? { ...account!._second!, secret } : undefined;
};
