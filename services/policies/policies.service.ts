import { hash } from "node:crypto";
import type { Context, ServiceSchema } from "moleculer";
import { type Collection, collection } from "../../mixins/collection.mixin.ts";
import type { Meta, User } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { type Roles, refusalOf } from "../../mixins/core/policy.ts";
import type { Current } from "../../mixins/trust/roles.ts";
import { requireChangeable, rolesWith, tidied, verdictOn } from "./policies.domain.ts";
import { policyFields } from "./policies.events.ts";

const MOST = 500; // roles
const role = {
  type: "string",
  pattern: "^[a-z][a-z0-9-]{0,31}$",
  messages: { stringPattern: "The '{field}' field must be a role's name, like sales-eu" },
} as const;
const grants = { type: "array", items: "string" } as const;

const spec = collection({
  name: "policies",
  entity: "Policy",
  id: role,
  fields: policyFields,
  sorts: ["createdAt"],
  prepare: (policy) => {
    requireChangeable(policy._id as string);
    return { ...policy, ...(policy.grants ? { grants: tidied(policy.grants as string[]) } : {}) };
  },
});

const { create } = spec.actions as unknown as { create: { handler: (this: Collection, ctx: never) => Promise<unknown> } };

async function createOne(this: Collection, ctx: never) {
  const count = await this.adapter.documents.count();
  if (count >= MOST) throw new Rejected("POLICIES_FULL", `There are ${MOST} policies, and no more than that are heeded`, 409);
  return create.handler.call(this, ctx);
}

interface Published {
  name: string;
  permission?: string;
  kept?: boolean;
  visibility?: string;
}

export default {
  name: "policies",
  mixins: [spec],
  actions: {
    create: { handler: createOne as never },
    roles: action({
      description: "What every role may do now: by its policy, or as the house has it",
      rest: "GET /roles",
      visibility: "published",
      permission: "policies.read",
      params: {},
      returns: { items: { type: "array", items: { type: "object", props: { role, grants } } } },
      async handler(this: Collection) {
        const roles = await rolesNow(this);
        return { items: Object.entries(roles).map(([role, grants]) => ({ role, grants: [...grants] })) };
      },
    }),
    check: action({
      description: "Whether somebody might call an action, on a record that such a one keeps, and why; nothing is done",
      rest: "POST /check",
      visibility: "published",
      permission: "policies.read",
      params: {
        user: { ...id, optional: true },
        roles: { type: "array", items: role, max: 20, optional: true },
        teams: { type: "array", items: id, max: 50, optional: true },
        action: { type: "string", max: 100 },
        record: { type: "object", optional: true, props: { owner: { ...id, optional: true }, team: { ...id, optional: true } } },
      },
      returns: {
        allowed: "boolean",
        permission: { type: "string", optional: true },
        reach: { type: "enum", values: ["own", "team", "all"], optional: true },
        because: { type: "array", items: "string" },
      },
      async handler(this: Collection, ctx) {
        const { action, record, user } = ctx.params;
        const refusal = user === undefined ? undefined : refusalOf(ctx.meta.user, "users.read", await rolesNow(this));
        if (refusal) throw refusal;
        const found = actionOf(ctx, action);
        const asked = { user: await askedFor(ctx, ctx.params), permission: found.permission, kept: found.kept === true, record };
        return { ...verdictOn(asked, await rolesNow(this)), ...(found.permission && { permission: found.permission }) };
      },
    }),
    current: action({
      description: "What every role may do, where that is not what the asker knows already",
      visibility: "public",
      params: { known: { type: "string", max: 64, optional: true } },
      returns: { digest: "string", roles: { type: "object", optional: true } },
      async handler(this: Collection, ctx): Promise<Current> {
        const roles = await rolesNow(this);
        const digest = hash("sha1", JSON.stringify(roles), "base64url");
        return digest === ctx.params.known ? { digest } : { digest, roles };
      },
    }),
  },
} satisfies ServiceSchema;

const rolesNow = async ({ adapter }: Collection): Promise<Roles> => {
  const policies = (await adapter.documents.find({ sort: ["createdAt"], limit: 2 * MOST })) as unknown as {
    _id: string;
    grants: string[];
  }[];
  return rolesWith(policies.map(({ _id, grants }) => ({ id: _id, grants })));
};

/** The published action of that name. Throws `ACTION_NOT_FOUND`. */
const actionOf = ({ broker }: Context<unknown, Meta>, name: string): Published => {
  const all = broker.registry.getActionList({ withEndpoints: false }) as { name: string; action?: Published }[];
  const found = all.find((known) => known.name === name)?.action;
  if (found?.visibility === "published") return found;
  throw new Rejected("ACTION_NOT_FOUND", `There is no published action ${name}; /openapi.json lists all there are`, 404);
};

/** Who is meant: a user as he is, with other roles or teams where they are named, or nobody but these. */
const askedFor = async (ctx: Context<unknown, Meta>, asked: { user?: string; roles?: string[]; teams?: string[] }): Promise<User> => {
  const known = asked.user
    ? await ctx.call<{ id: string; roles: string[]; teams: string[] }, object>("v1.users.get", { id: asked.user })
    : undefined;
  return { id: asked.user ?? "somebody", roles: asked.roles ?? known?.roles ?? [], teams: asked.teams ?? known?.teams ?? [] };
};
