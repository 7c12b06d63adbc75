import type { SchemaStep } from "../../mixins/storage/schema-store.ts";
import { places } from "./inventory.views.ts";

/** What has become of what this room keeps; see docs/upgrades.md. A step that has run anywhere is never changed. */
export const steps: readonly SchemaStep[] = [
  {
    number: 1,
    kind: "contract",
    since: 0,
    says: "drops what the list of places kept under number 1, which nothing reads any more",
    run: (room) => room.dropView(places.name, 1),
  },
];
