import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ANYONE, hiddenFrom, ROLES, refusalOf, SOMEBODY, without } from "./policy.ts";

const ann = (...roles: string[]) => ({ id: "ann", roles });
const said = (...asked: Parameters<typeof refusalOf>) => refusalOf(...asked)?.code ?? "may";

test("what everybody may do takes no login, what somebody may do takes one, and all else takes a role that has it", () => {
  assert.deepEqual([said(undefined, ANYONE), said(undefined, SOMEBODY), said(undefined, "deals.read")], ["may", 401, 401]);
  assert.deepEqual([said(ann(), ANYONE), said(ann(), SOMEBODY), said(ann(), "deals.read")], ["may", "may", 403]);
  assert.deepEqual([said(ann("trader"), "deals.write"), said(ann("warehouse"), "deals.write")], ["may", 403]);
  assert.equal(said(ann("warehouse", "trader"), "deals.write"), "may", "one of several roles is enough");
});

test("an administrator may do all that is declared, and nobody what is not", () => {
  assert.equal(said(ann("admin"), "billing.close"), "may");
  assert.deepEqual([said(ann("admin"), undefined), said(undefined, undefined)], [403, 401]);
});

test("a role that does not exist gives nothing, whatever it is called", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "ADMIN", "admin ")), (role) => {
      fc.pre(!Object.hasOwn(ROLES, role));
      assert.equal(said(ann(role), "deals.read"), 403);
    }),
  );
});

test("what a role has of one room it has of no other", () => {
  const only = { clerk: ["deals.*"] };
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,12}$/), fc.stringMatching(/^[a-z]{1,12}$/), (room, verb) => {
      assert.equal(said(ann("clerk"), `${room}.${verb}`, only), room === "deals" ? "may" : 403);
    }),
  );
});

test("costs and margins are shown to whoever may see them, and to nobody else; what other rooms call so is theirs", () => {
  assert.equal(hiddenFrom(ann("admin"), "deals"), undefined);
  assert.equal(hiddenFrom(ann("trader", "bookkeeper"), "deals"), undefined);
  for (const user of [ann("trader"), ann("reader"), ann(), undefined]) {
    assert.ok(hiddenFrom(user, "deals")?.has("margin") && hiddenFrom(user, "inventory")?.has("value"));
    assert.equal(hiddenFrom(user, "customers"), undefined);
  }
});

test("what is hidden is left out at any depth, and all else is as it was", () => {
  const names = new Set(["cost", "margin"]);
  const tree = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "small" }, fc.jsonValue({ maxDepth: 0 }), fc.array(tie("value"), { maxLength: 4 }), tie("object")),
    object: fc.dictionary(fc.constantFrom("cost", "margin", "lines", "a"), tie("value"), { maxKeys: 4 }),
  })).object;
  fc.assert(
    fc.property(tree, (answer) => {
      const told = JSON.stringify(without(answer, names));
      assert.doesNotMatch(told, /"(cost|margin)":/);
      const kept = JSON.stringify(answer, (name, value) => (names.has(name) ? undefined : value));
      assert.equal(told, kept);
    }),
  );
});
