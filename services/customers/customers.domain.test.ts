import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mustMerge, standsFor } from "./customers.domain.ts";

test("however doubles are merged, every one leads to a customer that stands for itself", () => {
  const ids = fc.constantFrom("a", "b", "c", "d", "e");
  fc.assert(
    fc.property(fc.array(fc.tuple(ids, ids), { maxLength: 30 }), (merges) => {
      const into = new Map<string, string>();
      const get = (id: string) => ({ mergedInto: into.get(id) });
      for (const [id, other] of merges) {
        const target = standsFor(other, get);
        try {
          if (mustMerge(id, target, get)) into.set(id, target);
          assert.equal(standsFor(id, get), target);
        } catch (error) {
          assert.match((error as { type: string }).type, /^(MERGE_CYCLE|CUSTOMER_MERGED)$/);
        }
      }
      for (const id of into.keys()) assert.equal(into.has(standsFor(id, get)), false);
    }),
  );
});
