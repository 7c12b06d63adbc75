import type { ServiceSchema } from "moleculer";
import { documentRules } from "../../mixins/collection.actions.ts";
import { type Call, type Collection, collection } from "../../mixins/collection.mixin.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { shown } from "../../mixins/storage/document-log.ts";
import { ERASED_CUSTOMER, mustMerge, refusalOf, standsFor, taxIdOf, tidied, united } from "./customers.domain.ts";
import { type Customer, customerFields, customerMemory, customerSealed } from "./customers.events.ts";

const rules = { fields: customerFields, kept: customerMemory, sealed: customerSealed };

export default {
  name: "customers",
  mixins: [
    collection({
      name: "customers",
      entity: "Customer",
      ...rules,
      sorts: ["name", "createdAt", "updatedAt"],
      folded: "name",
      exact: { taxId: taxIdOf },
      filters: ["country", "tags", "taxId"],
      listed: { mergedInto: { $exists: false } },
      prepare: tidied,
      closed: refusalOf,
      resolve: (customer, get) => (customer.mergedInto === undefined ? customer : { ...customer, mergedInto: standsFor(customer.id, get) }),
    }),
  ],
  actions: {
    merge: action({
      description: "Makes a customer the double of another one, which takes over its contacts and tags",
      rest: "POST /:id/merge",
      visibility: "published",
      permission: "customers.write",
      params: { id, into: id },
      returns: documentRules(rules),
      async handler(this: Collection, ctx) {
        const call = ctx as Call;
        const { id, into } = ctx.params;
        const stands = await this.once(call, () => {
          const { documents } = this.adapter;
          const get = (other: string) => documents.get(other) as Partial<Customer> | undefined;
          const double = this.demand(id, ctx.meta.ifVersion);
          const target = this.demand(standsFor(into, get));
          if (!mustMerge(id, target._id, get)) return shown(target);
          documents.hold(target._id); // or two could be merged into each other at once
          const stands = this.change(call, target, united(this.sealing!.plain(target), this.sealing!.plain(double)));
          this.change(call, double, { mergedInto: target._id });
          return stands;
        });
        return (await this.open([stands]))[0]!;
      },
    }),
    export: action({
      description: "All that is kept of a customer in this room",
      rest: "GET /:id/export",
      visibility: "published",
      permission: "customers.read",
      params: { id },
      returns: { customer: { type: "object", props: documentRules(rules) as object } },
      async handler(this: Collection, ctx) {
        const found = await this.adapter.documents.consult(() => shown(this.demand(ctx.params.id)));
        return { customer: (await this.open([found]))[0] as never };
      },
    }),
    erase: action({
      description: "Destroys the key of a customer's contacts and tax id, wherever a copy of them is; its deals stay",
      rest: "POST /:id/erase",
      visibility: "published",
      permission: "customers.erase",
      params: { id },
      returns: documentRules(rules),
      handler(this: Collection, ctx) {
        return this.erase(ctx as unknown as Call, (ctx.params as { id: string }).id, ERASED_CUSTOMER);
      },
    }),
  },
} satisfies ServiceSchema;
