import type { ServiceSchema } from "moleculer";
import { documentRules } from "../../mixins/collection.actions.ts";
import { type Call, type Collection, collection } from "../../mixins/collection.mixin.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { shown } from "../../mixins/storage/document-log.ts";
import { mustMerge, refusalOf, standsFor, tidied, united } from "./customers.domain.ts";
import { type Customer, customerFields, customerMemory } from "./customers.events.ts";

const rules = { fields: customerFields, kept: customerMemory };

export default {
  name: "customers",
  mixins: [
    collection({
      name: "customers",
      entity: "Customer",
      ...rules,
      sorts: ["name", "createdAt", "updatedAt"],
      folded: "name",
      filters: ["country", "tags"],
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
      handler(this: Collection, ctx) {
        const call = ctx as Call;
        const { id, into } = ctx.params;
        return this.once(call, () => {
          const { documents } = this.adapter;
          const get = (other: string) => documents.get(other) as Partial<Customer> | undefined;
          const double = this.demand(id, ctx.meta.ifVersion);
          const target = this.demand(standsFor(into, get));
          if (!mustMerge(id, target._id, get)) return shown(target);
          documents.hold(target._id); // or two could be merged into each other at once
          const stands = this.change(call, target, united(target, double));
          this.change(call, double, { mergedInto: target._id });
          return stands;
        });
      },
    }),
  },
} satisfies ServiceSchema;
