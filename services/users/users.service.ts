import type { ServiceSchema } from "moleculer";
import { type Collection, collection } from "../../mixins/collection.mixin.ts";
import { action } from "../../mixins/core/params.ts";
import { shown } from "../../mixins/storage/document-log.ts";
import { addressOf, refuseForeign, tidied } from "./users.domain.ts";
import { email, userFields } from "./users.events.ts";

const found = {
  type: "object",
  optional: true,
  props: { id: "string", name: "string", email: "string", roles: "string[]", status: userFields.status },
} as const;

export default {
  name: "users",
  mixins: [
    collection({
      name: "users",
      entity: "User",
      fields: userFields,
      sorts: ["name", "createdAt"],
      folded: "name",
      filters: ["status", "roles", "teams", "email"],
      indexes: [{ fields: ["email"], unique: true }],
      prepare: (user, _change, before) => {
        if (!before) refuseForeign(user._id);
        return tidied(user);
      },
    }),
  ],
  actions: {
    byEmail: action({
      description: "Who has this address, if anybody has",
      visibility: "public",
      params: { email },
      returns: { user: found },
      async handler(this: Collection, ctx) {
        const query = { email: addressOf(ctx.params.email) };
        const [document] = await this.adapter.documents.find({ query, limit: 1 });
        return document ? { user: shown(document) as never } : {};
      },
    }),
  },
} satisfies ServiceSchema;
