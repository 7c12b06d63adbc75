import type { ServiceSchema } from "moleculer";
import { documentRules } from "../../mixins/collection.actions.ts";
import { type Call, type Collection, collection } from "../../mixins/collection.mixin.ts";
import { id } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { shown } from "../../mixins/storage/document-log.ts";
import { ERASED_CUSTOMER, mustMerge, refusalOf, standsFor, taxIdOf, tidied, united } from "./customers.domain.ts";
import { type Customer, customerFields, customerMemory, customerPersonal, customerSealed } from "./customers.events.ts";

const rules = { fields: customerFields, kept: customerMemory, sealed: customerSealed };

/** A customer as it is answered. */
const read = async (room: Collection, id: string) =>
  (await room.open([await room.adapter.documents.consult(() => shown(room.demand(id)))]))[0]!;

export default {
  name: "customers",
  mixins: [
    collection({
      name: "customers",
      entity: "Customer",
      ...rules,
      personal: customerPersonal,
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
          if (!mustMerge(id, target._id, get)) return { id: target._id };
          documents.hold(target._id); // or two could be merged into each other at once
          this.change(call, target, united(this.sealing!.plain(target), this.sealing!.plain(double)));
          this.change(call, double, { mergedInto: target._id });
          return { id: target._id }; // remembered with the double, where erasing the other one would not look for its name
        });
        return read(this, stands.id);
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
        return { customer: (await read(this, ctx.params.id)) as never };
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
