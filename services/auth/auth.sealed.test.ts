import "../../test/support/credentials.env.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { LASTS, opened, type State, sealed } from "./auth.sealed.ts";
import { digestOf } from "./auth.tokens.ts";

const state = (change: Partial<State> = {}): State => ({
  ...{ id: "1", provider: "acme", binding: digestOf("mine"), until: Date.now() + LASTS, nonce: "n", verifier: "v" },
  ...change,
});
const open = (text: string, provider = "acme", binding = "mine") => opened<State>("state of a login", text, provider, binding);

test("a state opens for the browser and the provider that it was made for, for ten minutes", (t) => {
  const made = state();
  const text = sealed("state of a login", made);
  assert.deepEqual(open(text), made);
  for (const [provider, binding] of [
    ["acme", "theirs"],
    ["other", "mine"],
    ["acme", ""],
  ] as const) {
    assert.throws(() => open(text, provider, binding), { type: "STATE_INVALID", code: 401 });
  }
  t.mock.timers.enable({ apis: ["Date"], now: made.until - 1 });
  assert.deepEqual(open(text), made);
  t.mock.timers.setTime(made.until);
  assert.throws(() => open(text), { type: "STATE_INVALID" });
});

test("what was not sealed here, or for something else, is no state", () => {
  const text = sealed("state of a login", state());
  for (const wrong of [
    "",
    "x",
    "{}",
    text.slice(1),
    `${text}AAAA`,
    sealed("ticket of a login", state()),
    Buffer.from("{}").toString("base64url"),
  ]) {
    assert.throws(() => open(wrong), { type: "STATE_INVALID", code: 401 }, wrong);
  }
});
