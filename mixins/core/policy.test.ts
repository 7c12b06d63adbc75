import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ANYONE, hiddenFrom, isWithin, keepersWithin, ROLES, reachOf, refusalOf, SOMEBODY, without } from "./policy.ts";

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

test("a permission reaches as far as the widest grant that covers it, and no further", () => {
  const reach = fc.constantFrom("own", "team", "all");
  const grants = fc.array(fc.tuple(fc.constantFrom("deals.read", "deals.*", "*.read", "users.read", "*.write"), reach), { maxLength: 5 });
  fc.assert(
    fc.property(grants, (given) => {
      const roles = Object.fromEntries(given.map(([grant, of], i) => [`r${i}`, [of === "all" ? grant : `${grant}:${of}`]]));
      const covering = given.filter(([grant]) => ["deals.read", "deals.*", "*.read"].includes(grant)).map(([, of]) => of);
      const widest = ["all", "team", "own"].find((of) => covering.includes(of as never));
      assert.equal(reachOf(ann(...Object.keys(roles)), "deals.read", roles), widest);
    }),
  );
});

test("within reach is what one keeps, with team also what one's teams keep, and nothing that nobody keeps", () => {
  const keepers = (reach: "own" | "team" | "all") => keepersWithin({ id: "ann", roles: [], teams: ["eu"] }, reach);
  const seen = (reach: "own" | "team" | "all") =>
    [{ owner: "ann" }, { owner: "bob", team: "eu" }, { owner: "bob", team: "uk" }, { team: "eu" }, {}].map((kept) =>
      isWithin(keepers(reach), kept),
    );
  assert.deepEqual(seen("own"), [true, false, false, false, false]);
  assert.deepEqual(seen("team"), [true, true, false, true, false]);
  assert.deepEqual(seen("all"), [true, true, true, true, true]);
  assert.equal(isWithin(keepersWithin({ id: "ann", roles: [] }, "team"), { owner: "bob" }), false, "no team is no team");
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
