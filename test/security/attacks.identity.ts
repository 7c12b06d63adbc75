import assert from "node:assert/strict";
import { type Attack, PASSWORD, type Scene } from "./scene.ts";

const WRONG = "an open umbrella in the hall";
const valid = { name: "Acme" };
const sidOf = (token: string): string => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()).sid;

/** On who somebody is, what is his, and what he is shown of it. */
export const onIdentity = (scene: Scene): Attack[] => {
  const { api, by, post, get, login } = scene;
  const customer = (body: unknown = valid) => post("customers", body, scene.ann);
  return [
    // API1: objects of somebody else
    {
      name: "ending another user's session by its id",
      legitimate: async () => {
        const { json } = await login("bob@acme.example");
        return api(`auth/sessions/${sidOf(json.accessToken as string)}`, { method: "DELETE", headers: by(json.accessToken as string) });
      },
      attack: () => api(`auth/sessions/${scene.made.session}`, { method: "DELETE", headers: by(scene.ann) }),
      refused: [404],
    },
    {
      name: "taking back another user's API key",
      legitimate: () => get("auth/keys", scene.bob),
      attack: () => api(`auth/keys/${scene.made.key}`, { method: "DELETE", headers: by(scene.ann) }),
      refused: [404],
    },
    {
      name: "rotating another user's API key",
      legitimate: () => get("auth/keys", scene.bob),
      attack: () => post(`auth/keys/${scene.made.key}/rotate`, { password: PASSWORD }, scene.ann),
      refused: [404],
    },
    {
      name: "another user's Idempotency-Key, to be given what was made under it",
      legitimate: () => post("customers", { name: "Ann's" }, scene.ann, { "Idempotency-Key": "one" }),
      attack: () => post("customers", { name: "Ann's" }, scene.bob, { "Idempotency-Key": "one" }),
      harmless: (attack, legitimate) => assert.notEqual(attack.json.id, legitimate.json.id),
    },
    {
      name: "a link of one user's with the name of another before it",
      legitimate: () => get("auth/sessions", scene.ann),
      attack: () => post("auth/redeem", { link: scene.links.eve!.replace("#eve.", "#ann."), password: "another wet umbrella" }),
      refused: [410],
    },
    // API2: who one is
    {
      name: "a wrong password",
      legitimate: () => login("ann@acme.example"),
      attack: () => login("ann@acme.example", WRONG),
      refused: [401],
    },
    {
      name: "an e-mail that is a query (NoSQL injection)",
      legitimate: () => login("ann@acme.example"),
      attack: () => login({ $gt: "" }, { $gt: "" }),
      refused: [422],
    },
    {
      name: "an e-mail that is a list",
      legitimate: () => login("ann@acme.example"),
      attack: () => login(["ann@acme.example"]),
      refused: [422],
    },
    {
      name: "an e-mail with SQL in it",
      legitimate: () => login("ann@acme.example"),
      attack: () => login("ann@acme.example'--"),
      refused: [401, 422],
    },
    {
      name: "an e-mail that ends early (NUL)",
      legitimate: () => login("ann@acme.example"),
      attack: () => login("ann@acme.example\0"),
      refused: [401, 422],
    },
    {
      name: "no password at all",
      legitimate: () => login("ann@acme.example"),
      attack: () => login("ann@acme.example", ""),
      refused: [422],
    },
    {
      name: "a password as long as a book",
      legitimate: () => login("ann@acme.example"),
      attack: () => login("ann@acme.example", "x".repeat(100_000)),
      refused: [422],
    },
    {
      name: "the login of somebody who has set no password",
      legitimate: () => login("ann@acme.example"),
      attack: () => login("eve@acme.example", ""),
      refused: [422],
    },
    {
      name: "a refresh token as an access token",
      legitimate: () => get("customers", scene.ann),
      attack: () => get("customers", scene.tokens.ann!.refreshToken),
      refused: [401],
    },
    {
      name: "an access token as a refresh token",
      legitimate: () => get("customers", scene.ann),
      attack: () => post("auth/refresh", { refreshToken: scene.ann }),
      refused: [401, 422],
    },
    {
      name: "a token in the query",
      legitimate: () => get("customers", scene.ann),
      attack: () => get(`customers?access_token=${scene.ann}`),
      refused: [401],
    },
    {
      name: "a token in a cookie, which a page of somebody else's would send along (CSRF)",
      legitimate: () => get("customers", scene.ann),
      attack: () => get("customers", undefined, { Cookie: `access_token=${scene.ann}; token=${scene.ann}` }),
      refused: [401],
    },
    {
      name: "two tokens in one header",
      legitimate: () => get("customers", scene.ann),
      attack: () => get("customers", `${scene.ann}, Bearer ${scene.bob}`),
      refused: [401],
    },
    {
      name: "a login by the word of a proxy that is none",
      legitimate: () => get("customers", scene.ann),
      attack: () => get("customers", undefined, { "X-Forwarded-User": "ann", "X-User-Id": "ann", "X-Remote-User": "administrator" }),
      refused: [401],
    },
    {
      name: "a key for a machine, by a token that was stolen, without its owner's password",
      legitimate: () => post("auth/keys", { password: PASSWORD, name: "k", roles: ["trader"] }, scene.ann),
      attack: () => post("auth/keys", { password: WRONG, name: "k", roles: ["trader"] }, scene.ann),
      refused: [403],
    },
    {
      name: "a refresh token that was made up, for a session of somebody else's",
      legitimate: () => get("auth/sessions", scene.bob),
      attack: () => post("auth/refresh", { refreshToken: `bob.${scene.made.session}.${"a".repeat(43)}` }),
      refused: [401],
      harmless: async () => assert.equal((await get("auth/sessions", scene.bob)).status, 200),
    },
    // API3: fields that are not one's own
    {
      name: "fields of the room's own in a creation (mass assignment)",
      legitimate: () => customer(),
      attack: () => customer({ ...valid, version: 99, createdAt: "1970-01-01T00:00:00Z", _name: "x", mergedInto: "y", _id: "z" }),
      harmless: ({ json, text }) => {
        assert.equal(json.version, 1);
        assert.doesNotMatch(text, /1970|mergedInto|"_|"z"/);
      },
    },
    {
      name: "roles that one gives oneself",
      legitimate: () => get("auth/sessions", scene.ann),
      attack: () => api("users/ann", { method: "PATCH", body: { roles: ["admin"] }, headers: by(scene.ann, { "If-Match": "*" }) }),
      refused: [403],
    },
    {
      name: "an API key with more roles than one has",
      legitimate: () => post("auth/keys", { password: PASSWORD, name: "k", roles: ["trader"] }, scene.ann),
      attack: () => post("auth/keys", { password: PASSWORD, name: "k", roles: ["trader", "admin"] }, scene.ann),
      refused: [403],
    },
    {
      name: "secrets of an account among a user's fields",
      legitimate: () => get("auth/sessions", scene.ann),
      attack: () => get("auth/sessions", scene.ann),
      harmless: ({ text }) => assert.doesNotMatch(text, /refresh|digest|spent|argon2/),
    },
  ];
};
