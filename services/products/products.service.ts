import type { ServiceSchema } from "moleculer";
import { type Collection, collection } from "../../mixins/collection.mixin.ts";
import { idOf, productId } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { withPast } from "./products.domain.ts";
import { productFields, productMemory } from "./products.events.ts";

const known = { id: productId, kind: productFields.kind } as const;
type Known = { id: string; kind: "goods" | "service" };

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
      handler(this: Collection, ctx) {
        const stamp = this.adapter.documents.last();
        const items = ctx.params.ids.flatMap((id) => {
          const { kind } = this.cached(`kind:${id}`, stamp, () => ({ kind: this.look(id)?.kind as Known["kind"] | undefined }));
          return kind ? [{ id, kind }] : [];
        });
        return { items };
      },
    }),
  },
} satisfies ServiceSchema;
