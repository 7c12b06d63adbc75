import type { ServiceSchema } from "moleculer";
import { documents } from "../../mixins/collection.mixin.ts";
import { action } from "../../mixins/core/params.ts";
import { ANYONE } from "../../mixins/core/policy.ts";
import { config } from "../../mixins/runtime/config.ts";
import { subscriber } from "../../mixins/subscriber.mixin.ts";
import { LOOK_BACK } from "../../mixins/trust/clocks.ts";
import { operatorsKeys } from "../../mixins/trust/operator.ts";
import { ENDED_FOR, type Revoked } from "../../mixins/trust/revocations.ts";
import { createKey, listKeys, readKey, removeKey, rotateKey } from "./auth.api-keys.ts";
import { follow, subscriptions } from "./auth.changes.ts";
import type { Account } from "./auth.domain.ts";
import { accountFields } from "./auth.events.ts";
import { exportAccount } from "./auth.export.ts";
import { GuessLimit } from "./auth.guesses.ts";
import { endIdentities, identities, removeIdentity } from "./auth.identities.ts";
import { importHash } from "./auth.imported.ts";
import { type Keep, SigningKeys } from "./auth.keys.ts";
import { firstLink, invite, redeem } from "./auth.links.ts";
import { Providers } from "./auth.openid.ts";
import { begin, confirm, finish, linkProvider, providers } from "./auth.providers.ts";
import { rewrapSecrets } from "./auth.rewrap.ts";
import { type Auth, asker } from "./auth.room.ts";
import { beginSecondFactor, confirmSecondFactor, endSecondFactor, endSecondFactorOf } from "./auth.second-factor.ts";
import { changePassword, endAll, endSession, login, logout, refresh, sessions } from "./auth.sessions.ts";
import { vault } from "./auth.vault.ts";

const MOST_TOLD = 1_000;

const key = { kty: "string", crv: "string", x: "string", kid: "string", alg: "string", use: "string" } as const;
const time = { type: "number", integer: true, min: 0 } as const;

export default {
  name: "auth",
  version: 1,
  metadata: { outcomes: true }, // an account's event does not say whether somebody logged in or out
  mixins: [
    documents({
      name: "auth",
      entity: "Account",
      fields: accountFields,
      id: { type: "string", pattern: "^[ukt]~[A-Za-z0-9][A-Za-z0-9_~-]{0,63}$" },
      sorts: ["endedAt"],
      filters: ["password"],
      indexes: [{ fields: ["_identityIds"], unique: true }],
    }),
    subscriber(subscriptions),
    vault,
  ],
  actions: {
    login,
    refresh,
    logout,
    sessions,
    endSession,
    endAll,
    changePassword,
    beginSecondFactor,
    confirmSecondFactor,
    endSecondFactor,
    endSecondFactorOf,
    invite,
    redeem,
    firstLink,
    follow,
    createKey,
    listKeys,
    rotateKey,
    removeKey,
    readKey,
    providers,
    begin,
    finish,
    confirm,
    linkProvider,
    identities,
    removeIdentity,
    endIdentities,
    importHash,
    exportAccount,
    keys: action({
      description: "The public keys of those that sign access tokens, as a JSON Web Key Set has them",
      visibility: "public",
      permission: ANYONE,
      params: { kid: { type: "string", max: 64, optional: true } },
      returns: { keys: { type: "array", items: { type: "object", props: key } } },
      async handler(this: Auth, ctx) {
        return { keys: [...(await this.keys.shown(ctx.params.kid)), ...operatorsKeys()] as never };
      },
    }),
    rotateKeys: action({
      description: "Makes a new signing key, which signs from five minutes on; what the old one has signed goes on counting",
      rest: "POST /signing-keys/rotate",
      visibility: "published",
      permission: "auth.manage",
      params: {},
      returns: { kids: "string[]" },
      async handler(this: Auth, ctx) {
        asker(ctx);
        await this.keys.rotate();
        return { kids: (await this.keys.shown(undefined)).map(({ kid }) => kid) };
      },
    }),
    revoked: action({
      description: "Sessions that were ended before their time since a moment, as long as their tokens may count",
      visibility: "public",
      permission: ANYONE,
      params: { since: { ...time, default: 0 } },
      returns: {
        sessions: { type: "array", items: { type: "object", props: { id: "string", at: time } } },
        users: { type: "array", items: { type: "object", props: { id: "string", before: time } } },
        next: time,
      },
      async handler(this: Auth, ctx): Promise<Revoked> {
        const { since = 0 } = ctx.params;
        const from = Math.max(since - LOOK_BACK, Date.now() - ENDED_FOR);
        const found = await this.adapter.documents.find({ query: { endedAt: { $gte: from } }, sort: ["endedAt"], limit: MOST_TOLD });
        const accounts = found as unknown as Account[];
        return {
          sessions: accounts.flatMap(({ user, _ended = [] }) =>
            _ended.filter(({ at }) => at >= from).map(({ id, at }) => ({ id: `${user}/${id}`, at })),
          ),
          users: accounts.flatMap(({ user, _voidBefore = 0 }) => (_voidBefore < from ? [] : [{ id: user, before: _voidBefore }])),
          next: (accounts.at(-1)?.endedAt ?? since) + (accounts.length === MOST_TOLD ? LOOK_BACK : 0), // or it would never get beyond these
        };
      },
    }),
  },
  methods: {
    rewrapSecrets(this: Auth, look: boolean) {
      return rewrapSecrets(this, look);
    },
  },
  created() {
    const auth = this as unknown as Auth;
    auth.guesses = new GuessLimit();
    auth.providers = new Providers(config.providers, this.logger);
    auth.keys = new SigningKeys((id, change) => keepKeys(auth, id, change));
  },
} satisfies ServiceSchema;

/** Changes the wrapped keys, all of which stand in one document: of two nodes that make one at once, one does. */
const keepKeys: (auth: Auth, ...of: Parameters<Keep>) => ReturnType<Keep> = (auth, id, change) =>
  auth.adapter.documents.write(() => {
    const document = auth.adapter.documents.get(id);
    const before = (document?._keys ?? []) as string[];
    const after = change(before);
    if (!after) return before;
    const nobody = { meta: {} } as never;
    if (document) auth.change(nobody, document, { _keys: after });
    else auth.add(nobody, id, { user: "", _keys: after });
    return after;
  });
