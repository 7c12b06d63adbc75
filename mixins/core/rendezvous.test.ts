import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ActionEndpoint, Context } from "moleculer";
import { Rendezvous } from "./rendezvous.strategy.ts";

const strategy = new Rendezvous(undefined as never, undefined as never, {});
const endpoints = (nodes: readonly string[]) => nodes.map((id) => ({ id })) as ActionEndpoint[];
const nodeOf = (nodes: readonly string[], id: string): string =>
  strategy.select(endpoints(nodes), { params: { id } } as unknown as Context).id!;

const aNode = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/);
const severalNodes = fc.uniqueArray(aNode, { minLength: 1, maxLength: 8 });
const ids = Array.from({ length: 4_000 }, (_, n) => `deal-${n}`);

test("an id has one node, whoever asks and in whatever order he knows the nodes", () => {
  fc.assert(
    fc.property(severalNodes, fc.string(), (nodes, id) => {
      assert.equal(nodeOf(nodes, id), nodeOf([...nodes].reverse(), id));
    }),
  );
});

test("a node that joins takes ids, and moves none between the others; when it leaves they are back", () => {
  fc.assert(
    fc.property(severalNodes, aNode, fc.array(fc.string(), { minLength: 50, maxLength: 50 }), (nodes, joining, some) => {
      fc.pre(!nodes.includes(joining));
      for (const id of some) {
        const [before, after] = [nodeOf(nodes, id), nodeOf([...nodes, joining], id)];
        assert.ok(after === before || after === joining);
        assert.equal(
          nodeOf(
            [...nodes, joining].filter((node) => node !== joining),
            id,
          ),
          before,
        );
      }
    }),
  );
});

test("a node that is not to be asked gives up its own ids alone", () => {
  fc.assert(
    fc.property(fc.uniqueArray(aNode, { minLength: 2, maxLength: 8 }), fc.string(), (nodes, id) => {
      const owner = nodeOf(nodes, id);
      for (const away of nodes) {
        const left = nodes.filter((node) => node !== away);
        if (away === owner) assert.ok(left.includes(nodeOf(left, id)));
        else assert.equal(nodeOf(left, id), owner);
      }
    }),
  );
});

test("a second node takes about half of the ids, a third a third of each", () => {
  for (const nodes of [
    ["a", "b"],
    ["deals-0", "deals-1"],
    ["node-7f8c-11", "node-7f8c-12"],
  ]) {
    const moved = ids.filter((id) => nodeOf(nodes, id) !== nodes[0]).length / ids.length;
    assert.ok(moved > 0.46 && moved < 0.54, `${nodes}: ${moved}`);
    const three = [...nodes, "another"];
    for (const node of nodes) {
      const own = ids.filter((id) => nodeOf(nodes, id) === node);
      const lost = own.filter((id) => nodeOf(three, id) === "another").length / own.length;
      assert.ok(lost > 0.29 && lost < 0.38, `${node} loses ${lost}`);
    }
  }
});

test("calls without an id take turns", () => {
  const turns = Array.from({ length: 6 }, () => strategy.select(endpoints(["a", "b", "c"])).id);
  assert.deepEqual(turns.toSorted(), ["a", "a", "b", "b", "c", "c"]);
});
