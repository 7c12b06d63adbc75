import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { SOMEBODY } from "../../mixins/core/policy.ts";
import { unwrap, wrap } from "../../mixins/trust/master-key.ts";
import { ENDED_FOR } from "../../mixins/trust/revocations.ts";
import { codesOf, countAttempt, requirePassword } from "./auth.check.ts";
import { type Account, type Change, endedAll } from "./auth.domain.ts";
import { type Auth, asker, changeAccount, type Known, lookedAfter } from "./auth.room.ts";
import * as shapes from "./auth.shapes.ts";
import { digestOf, newTotpSecret, otpauthUrl, recoveryCodes, totpStep } from "./auth.totp.ts";

export const PURPOSE = "second factor";
const PENDING = 600_000; // milliseconds that a secret may wait for its first code
const codeWrong = () => new Rejected("CODE_WRONG", "This code does not count: each counts once, for about a minute", 401);

const stepOf = (wrapped: string, code: string, at: number, after: number) => {
  const secret = unwrap(PURPOSE, wrapped);
  return secret === undefined ? undefined : totpStep(secret, code.replaceAll(" ", ""), at, after);
};

/** What a login's code changes: it counts once. Throws `CODE_WRONG`. Nothing where there is no second factor. */
export const taken = ({ _second }: Account, code: string | undefined, at: number): Change => {
  if (_second?.since === undefined) return {};
  const step = code === undefined ? undefined : stepOf(_second.secret, code, at, _second.step);
  if (step !== undefined) return { _second: { ..._second, step } };
  const digest = code && digestOf(code);
  if (!digest || !_second.recovery.includes(digest)) throw codeWrong();
  return { _second: { ..._second, recovery: _second.recovery.filter((one) => one !== digest) } };
};

export const beginSecondFactor = action({
  description: "A new secret for an authenticator; it counts from when a code of it is confirmed",
  rest: "POST /second-factor",
  visibility: "published",
  permission: SOMEBODY,
  params: { password: shapes.given },
  returns: { secret: "string", url: "string" },
  async handler(this: Auth, ctx) {
    const { id } = asker(ctx);
    await requirePassword(this, id, ctx.params.password);
    const { email } = await ctx.call<Known, object>("v1.users.get", { id });
    const secret = newTotpSecret();
    await changeAccount(this, ctx, id, (account) => {
      if (account._second?.since !== undefined)
        throw new Rejected("SECOND_FACTOR_ON", "There is a second factor already; end it first", 409);
      return { _second: { secret: wrap(PURPOSE, secret), step: 0, recovery: [], begun: Date.now() } };
    });
    return { secret, url: otpauthUrl(secret, email, "Banyan") };
  },
});

export const confirmSecondFactor = action({
  description: "Turns the second factor on, by a code of it. Answers with codes for when the device is lost; each counts once",
  rest: "POST /second-factor/confirm",
  visibility: "published",
  permission: SOMEBODY,
  params: { code: shapes.code },
  returns: { recovery: "string[]" },
  async handler(this: Auth, ctx) {
    const { id } = asker(ctx);
    countAttempt(this, codesOf(id));
    const codes = recoveryCodes();
    await changeAccount(this, ctx, id, ({ _second }) => {
      if (!_second || _second.since !== undefined || Date.now() - _second.begun > PENDING)
        throw new Rejected("SECOND_FACTOR_NONE", "There is none that waits to be confirmed", 409);
      const at = Date.now();
      const step = stepOf(_second.secret, ctx.params.code, at, _second.step);
      if (step === undefined) throw codeWrong();
      return { secondFactor: true, _second: { ..._second, step, since: at, recovery: codes.map(digestOf) } };
    });
    this.guesses.right(codesOf(id));
    return { recovery: codes };
  },
});

export const endSecondFactor = action({
  description: "Turns the second factor off; takes the password and a code of it",
  rest: "POST /second-factor/end",
  visibility: "published",
  permission: SOMEBODY,
  params: { password: shapes.given, code: shapes.code },
  returns: { secondFactor: "boolean" },
  async handler(this: Auth, ctx) {
    const { id } = asker(ctx);
    await requirePassword(this, id, ctx.params.password);
    countAttempt(this, codesOf(id));
    await changeAccount(this, ctx, id, (account) => {
      taken(account, ctx.params.code, Date.now());
      return { secondFactor: null, _second: null };
    });
    this.guesses.right(codesOf(id));
    return { secondFactor: false };
  },
});

export const endSecondFactorOf = action({
  description: "Turns off the second factor of a user who has lost it; all of his sessions end",
  rest: "POST /users/:user/second-factor/end",
  visibility: "published",
  permission: "auth.manage",
  params: { user: shapes.userId },
  returns: { secondFactor: "boolean" },
  async handler(this: Auth, ctx) {
    await lookedAfter(ctx, ctx.params.user);
    await changeAccount(this, ctx, ctx.params.user, (account) => {
      return { ...endedAll(account, Date.now(), ENDED_FOR), secondFactor: null, _second: null };
    });
    return { secondFactor: false };
  },
});
