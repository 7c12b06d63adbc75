import type { ServiceSchema } from "moleculer";
import { type Collection, collection } from "../../mixins/collection.mixin.ts";
import { idOf, productId } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { withPast } from "./products.domain.ts";
import { productFields, productMemory } from "./products.events.ts";

const MOST_KINDS = 10_000;

const known = { id: productId, kind: productFields.kind } as const;
type Known = { id: string; kind: "goods" | "service" };

/** What each product is, as of the collection's last write. A plain map: it is asked for every line of every deal, and `cached` cost 8 % of a deal of 20. */
interface Kinds {
  stamp: number;
  of: Map<string, Known["kind"] | undefined>;
}

const knownOf = (id: string, product: Record<string, unknown> | undefined): Known[] =>
  product ? [{ id, kind: product.kind as Known["kind"] }] : [];

export default {
  name: "products",
  mixins: [
    collection({
      name: "products",
      entity: "Product",
      fields: productFields,
      kept: productMemory,
      imported: ["descriptions"],
      fixed: ["code"],
      id: productId,
      idFrom: ({ code }) => (typeof code === "string" ? idOf(code) : ""),
      sorts: ["code", "description", "updatedAt"],
      folded: "description",
      filters: ["kind"],
      indexes: [{ fields: ["code"], unique: true }],
      prepare: withPast,
    }),
  ],
  actions: {
    kinds: action({
      description: "Which of these products are goods and which services; of unknown ones nothing",
      visibility: "public",
      params: { ids: { type: "array", items: productId, max: 2_000 } },
      returns: { items: { type: "array", items: { type: "object", props: known } } },
      handler(this: Collection & { kinds?: Kinds }, ctx) {
        const { stamps } = this.adapter.documents;
        if (!stamps) return this.adapter.documents.consult(() => ({ items: ctx.params.ids.flatMap((id) => knownOf(id, this.look(id))) }));
        const stamp = stamps.last();
        if (this.kinds?.stamp !== stamp || this.kinds.of.size > MOST_KINDS) this.kinds = { stamp, of: new Map() };
        const { of } = this.kinds;
        const items: Known[] = [];
        for (const id of ctx.params.ids) {
          if (!of.has(id)) of.set(id, this.look(id)?.kind as Known["kind"] | undefined);
          const kind = of.get(id);
          if (kind) items.push({ id, kind });
        }
        return { items };
      },
    }),
  },
} satisfies ServiceSchema;
