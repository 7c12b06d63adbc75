import type { Context, ServiceSchema } from "moleculer";
import { documentRules } from "../../mixins/collection.actions.ts";
import { type Call, type Collection, type CollectionOptions, collection } from "../../mixins/collection.mixin.ts";
import type { Meta } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { ADMIN, SOMEBODY } from "../../mixins/core/policy.ts";
import { shown } from "../../mixins/storage/document-log.ts";
import { askerOf, requireRoles } from "../../mixins/trust/asker.ts";
import { addressOf, ERASED_USER, fitting, losing, refuseForeign, rolesTouched, tidied } from "./users.domain.ts";
import { email, type UserDocument, userFields, userPersonal, userSealed } from "./users.events.ts";

const found = {
  type: "object",
  optional: true,
  props: { id: "string", name: "string", email: "string", roles: "string[]", status: userFields.status },
} as const;

const { language, channels } = userFields;
const rules = { fields: userFields, sealed: userSealed };
const preferences = { language, channels };

/** A user as it is answered. */
const read = async (room: Collection, id: string): Promise<UserDocument> => {
  const [user] = await room.open([await room.adapter.documents.consult(() => shown(room.demand(id)))]);
  return user as unknown as UserDocument;
};

const preferred = ({ language, channels }: UserDocument) => ({ ...(language && { language }), ...(channels && { channels }) });

const exported = { user: { type: "object", props: documentRules(rules) as object }, account: "object" } as const;

const exportOf = async (room: Collection, ctx: Context<unknown, Meta>, id: string) => ({
  user: (await read(room, id)) as never,
  account: await ctx.call<Record<string, unknown>, object>("v1.auth.exportAccount", { user: id }),
});

const refuseOthersRoles: CollectionOptions["guard"] = (caller, before, after) => {
  if (caller) requireRoles(caller, rolesTouched(caller, before, after));
};

const keepAnAdministrator: CollectionOptions["consider"] = async (room, changes) => {
  const ids = losing(changes);
  if (ids.length === 0) return;
  const left = await room.adapter.documents.find({ query: { roles: ADMIN, status: "active" }, limit: ids.length + 1 });
  if (left.length > 0 && left.every(({ _id }) => ids.includes(_id)))
    throw new Rejected("LAST_ADMINISTRATOR", "Nobody else is an active administrator: make another one first", 409);
};

export default {
  name: "users",
  mixins: [
    collection({
      name: "users",
      entity: "User",
      ...rules,
      exact: { email: addressOf },
      sorts: ["name", "createdAt"],
      folded: "name",
      filters: ["status", "roles", "teams", "email"],
      indexes: [{ fields: ["email"], unique: true }],
      prepare: (user, change, before) => {
        if (!before) refuseForeign(user._id);
        return fitting(tidied(user), change);
      },
      personal: userPersonal,
      guard: refuseOthersRoles,
      consider: keepAnAdministrator,
    }),
  ],
  actions: {
    byEmail: action({
      description: "Who has this address, if anybody has",
      visibility: "public",
      params: { email },
      returns: { user: found },
      async handler(this: Collection, ctx) {
        const query = await this.sealing!.match("email", ctx.params.email);
        const [document] = await this.adapter.documents.find({ query, limit: 1 });
        // whether anybody has it must not show in how long it takes, so no key is asked for
        return document ? { user: { ...shown(document), email: addressOf(ctx.params.email) } as never } : {};
      },
    }),
    preferences: action({
      description: "One's own preferences",
      rest: "GET /me/preferences",
      visibility: "published",
      permission: SOMEBODY,
      params: {},
      returns: preferences,
      async handler(this: Collection, ctx) {
        return preferred(await read(this, ctx.meta.user!.id));
      },
    }),
    prefer: action({
      description: "Sets one's own preferences; what is left out is none",
      rest: "PUT /me/preferences",
      visibility: "published",
      permission: SOMEBODY,
      params: preferences,
      returns: preferences,
      async handler(this: Collection, ctx) {
        const { id } = askerOf(ctx.meta);
        const { language = null, channels = null } = ctx.params;
        const call = ctx as unknown as Call;
        await this.once(call, () => this.change(call, this.demand(id), { language, channels }), { ids: [id] });
        return preferred(await read(this, id));
      },
    }),
    export: action({
      description: "All that is kept of a person",
      rest: "GET /:id/export",
      visibility: "published",
      permission: "users.read",
      params: { id },
      returns: exported,
      handler(this: Collection, ctx) {
        return exportOf(this, ctx, ctx.params.id);
      },
    }),
    exportOwn: action({
      description: "All that is kept of oneself",
      rest: "GET /me/export",
      visibility: "published",
      permission: SOMEBODY,
      params: {},
      returns: exported,
      handler(this: Collection, ctx) {
        return exportOf(this, ctx, askerOf(ctx.meta).id);
      },
    }),
    erase: action({
      description: "Destroys the key of a person's data, wherever a copy of it is, ends his logins, and leaves who he was to nobody",
      rest: "POST /:id/erase",
      visibility: "published",
      permission: "users.erase",
      params: { id },
      returns: documentRules(rules),
      handler(this: Collection, ctx) {
        return this.erase(ctx as unknown as Call, (ctx.params as { id: string }).id, ERASED_USER);
      },
    }),
  },
} satisfies ServiceSchema;
