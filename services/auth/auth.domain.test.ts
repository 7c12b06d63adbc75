import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Account,
  began,
  type Change,
  ended,
  followed,
  IDLE,
  keysOf,
  LONGEST,
  refreshed,
  sessionsOf,
  takeLink,
  withPassword,
} from "./auth.domain.ts";

const KEPT = 360_000;
const SOON = 1_000;
const nobody: Account = { user: "ann" };

/** An account after a change, as the room stores it: null takes a field away. */
const after = (account: Account, change: Change): Account =>
  Object.fromEntries(
    Object.entries({ ...account, ...change }).filter(([, value]) => value !== null && value !== undefined),
  ) as unknown as Account;
const login = (account: Account, id: string, at: number) =>
  after(account, began(account, { id, began: at, seen: at, refresh: `${id}.0`, spent: [] }, at, KEPT));
const refresh = (account: Account, id: string, token: string, next: string, at: number) =>
  after(account, refreshed(account, id, token, next, at, KEPT));
const open = (account: Account, at: number) => sessionsOf(account, at).map(({ id }) => id);

test("a refresh token is taken once, and the next one counts in its place", () => {
  const account = refresh(login(nobody, "s", 0), "s", "s.0", "s.1", 60_000);
  assert.deepEqual(open(account, 60_000), ["s"]);
  assert.deepEqual(open(refresh(account, "s", "s.1", "s.2", 120_000), 120_000), ["s"]);
});

test("a refresh token that comes twice ends its session, for the thief and for the owner, and no other session", () => {
  const both = login(login(nobody, "s", 0), "other", 0);
  const account = refresh(refresh(both, "s", "s.0", "s.1", 60_000), "s", "s.1", "s.2", 120_000);
  for (const stolen of ["s.0", "s.1"]) {
    const robbed = refresh(account, "s", stolen, "s.3", 180_000);
    assert.deepEqual(open(robbed, 180_000), ["other"]);
    assert.deepEqual(robbed._ended, [{ id: "s", at: 180_000 }]);
    assert.throws(() => refresh(robbed, "s", "s.2", "s.3", 180_001), { type: "REFRESH_INVALID" });
  }
});

test("who did not get the answer may send the last refresh token again, once and within ten seconds", () => {
  const account = refresh(login(nobody, "s", 0), "s", "s.0", "s.1", 60_000);
  const again = refresh(account, "s", "s.0", "s.2", 60_000 + SOON);
  assert.deepEqual(open(again, 60_000 + SOON), ["s"]);
  assert.deepEqual(open(refresh(again, "s", "s.2", "s.3", 90_000), 90_000), ["s"], "what it was answered with counts");
  for (const token of ["s.0", "s.1"]) assert.deepEqual(open(refresh(again, "s", token, "s.3", 60_000 + 2 * SOON), 62_000), [], token);
  assert.deepEqual(open(refresh(account, "s", "s.0", "s.2", 70_000), 70_000), [], "ten seconds later it is a thief's");
});

test("whatever order tokens come in, of those that were answered at most one counts, and none of an ended session", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ pick: fc.nat(), wait: fc.constantFrom(SOON, 20_000) }), { maxLength: 40 }), (tries) => {
      let [account, at] = [login(nobody, "s", 0), 0];
      const given = ["s.0"];
      for (const { pick, wait } of tries) {
        at += wait;
        const next = `s.${given.length}`;
        try {
          account = refresh(account, "s", given[pick % given.length]!, next, at);
          if (open(account, at).length > 0) given.push(next);
        } catch (error) {
          assert.equal((error as { type?: string }).type, "REFRESH_INVALID");
        }
        const counts = given.filter((token) => open(account, at + 20_000).length > 0 && account._sessions![0]!.refresh === token);
        assert.ok(counts.length <= 1);
        if (open(account, at).length === 0) for (const token of given) assert.throws(() => refresh(account, "s", token, "x", at));
      }
    }),
  );
});

test("a token that nobody was given changes nothing, whosever session it names", () => {
  const account = login(nobody, "s", 0);
  assert.throws(() => refresh(account, "s", "guessed", "x", SOON), { type: "REFRESH_INVALID", code: 401 });
  assert.throws(() => refresh(account, "unknown", "s.0", "x", SOON), { type: "REFRESH_INVALID", code: 401 });
});

test("a session ends when nobody used it for two weeks, and at last after ninety days", () => {
  let account = login(nobody, "s", 0);
  assert.deepEqual(open(account, IDLE - 1), ["s"]);
  assert.deepEqual(open(account, IDLE), []);
  for (let at = IDLE - 1; at < LONGEST; at += IDLE - 1) account = refresh(account, "s", account._sessions![0]!.refresh, `s.${at}`, at);
  assert.deepEqual(open(account, LONGEST), []);
});

test("of more than twenty sessions the one that was not used for longest ends", () => {
  let account = nobody;
  for (let n = 0; n < 21; n++) account = login(account, `s${n}`, n);
  assert.equal(open(account, 21).length, 20);
  assert.deepEqual(account._ended, [{ id: "s0", at: 20 }]);
});

test("ended sessions are remembered while their tokens count; where there are too many, all tokens before are void", () => {
  let account = login(nobody, "stays", 0);
  for (let n = 1; n <= 50; n++) account = after(login(account, `s${n}`, n), ended(login(account, `s${n}`, n), [`s${n}`], n, KEPT));
  assert.equal(account._ended!.length, 50);
  const many = after(account, ended(account, ["one more"], 60, KEPT));
  assert.deepEqual([many._ended, many._voidBefore, open(many, 60)], [undefined, 60, ["stays"]]);
  const later = after(account, ended(account, ["one more"], KEPT + 60, KEPT));
  assert.deepEqual(later._ended, [{ id: "one more", at: KEPT + 60 }]);
});

test("a new password ends all sessions by their ids, takes back all keys, and takes all links", () => {
  const before = { ...login(nobody, "s", 0), _link: { digest: "l", until: 100 }, _keys: [key] };
  const account = after(before, withPassword(before, "hash", 50, KEPT));
  assert.deepEqual([open(account, 50), account._link, account._keys, account._hash], [[], undefined, undefined, "hash"]);
  assert.deepEqual([account._voidBefore, account._ended], [50, [{ id: "s", at: 50 }]], "also of a token that is made at this moment");
});

test("a link counts until it is used, replaced, or a day old", () => {
  const account = { ...nobody, _link: { digest: "right", until: 100 } };
  takeLink(account, "right", 99);
  for (const [of, digest, at] of [
    [account, "right", 100],
    [account, "wrong", 1],
    [nobody, "right", 1],
  ] as const) {
    assert.throws(() => takeLink(of, digest, at), { type: "LINK_INVALID", code: 410 });
  }
});

const key = { id: "k", name: "k", roles: ["trader"], digest: "d", made: 0, until: 1_000_000 };

test("who is disabled has no session and no key, whether he had any or not, and is told so once", () => {
  for (const account of [{ ...login(nobody, "s", 0), _keys: [key] }, nobody, { ...nobody, _hash: "h" }]) {
    const closed = after(account, followed(account, { active: false, roles: [] }, 5, KEPT));
    assert.deepEqual([open(closed, 5), keysOf(closed, 5), closed._voidBefore], [[], [], 5]);
    assert.deepEqual(followed(closed, { active: false, roles: [] }, 6, KEPT), {});
    assert.equal(after(closed, followed(closed, { active: true, roles: [] }, 7, KEPT))._closed, undefined);
  }
});

test("who has other roles keeps his session, and his tokens do not count any more", () => {
  const account = { ...login(nobody, "s", 0), _hash: "h", _roles: ["trader"] };
  assert.deepEqual(followed(account, { active: true, roles: ["trader"] }, 5, KEPT), {});
  const other = after(account, followed(account, { active: true, roles: ["reader"] }, 5, KEPT));
  assert.deepEqual([open(other, 5), other._voidBefore, other._roles], [["s"], 5, ["reader"]]);
});

test("who is gone leaves nothing to whoever has his id next", () => {
  const account = {
    ...login(nobody, "s", 0),
    _hash: "h",
    _keys: [key],
    _link: { digest: "l", until: 9 },
    password: "then",
    secondFactor: true,
  };
  const gone = after(account, followed(account, { active: false, gone: true, roles: [] }, 5, KEPT));
  assert.deepEqual(
    [gone._hash, gone._keys, gone._link, gone.password, gone.secondFactor, open(gone, 5)],
    [undefined, undefined, undefined, undefined, undefined, []],
  );
});
