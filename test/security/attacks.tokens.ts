import assert from "node:assert/strict";
import { createHmac, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { operatorKeyOf, publicPart, signed } from "../../mixins/trust/access-token.ts";
import { masterKey } from "../../mixins/trust/master-key.ts";
import { until } from "../support/other-node.ts";
import { type Attack, PASSWORD, type Scene } from "./scene.ts";

const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const read = (token: string, part: 0 | 1): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[part]!, "base64url").toString());
const issuer = process.env.ISSUER!;
const strange = generateKeyPairSync("ed25519").privateKey;
const strangeJwk = strange.export({ format: "jwk" }) as { x: string };

/** A token like Ann's with another head or other claims, signed by a stranger. */
const forged = (token: string, head: object = {}, claims: object = {}): string => {
  const text = `${b64({ ...read(token, 0), ...head })}.${b64({ ...read(token, 1), ...claims })}`;
  return `${text}.${sign(null, Buffer.from(text), strange).toString("base64url")}`;
};

/** On access tokens as they come to the door (API2, ASVS 9 and 10): beside each the token that counts. */
export const onTokens = (scene: Scene): Attack[] => {
  const { get, post, login, api, by } = scene;
  const legitimate = () => get("customers", scene.ann);
  const attempt = (name: string, token: () => string | Promise<string>): Attack => ({
    name: `a token ${name}`,
    legitimate,
    attack: async () => get("customers", await token()),
    refused: [401],
  });
  const known = operatorKeyOf(masterKey());
  const admin = { id: "ann", roles: ["admin"] };
  const unsigned = (alg: string) => `${b64({ ...read(scene.ann, 0), alg })}.${b64({ ...read(scene.ann, 1), roles: ["admin"] })}.`;
  return [
    attempt("without a signature", () => unsigned("none")),
    attempt("without a signature, in other letters", () => unsigned("NoNe")),
    attempt("signed by HMAC with the public key that we show (key confusion)", () => {
      const text = `${b64({ alg: "HS256", typ: "at+jwt", kid: read(scene.ann, 0).kid })}.${b64(read(scene.ann, 1))}`;
      return `${text}.${createHmac("sha256", Buffer.from(publicPart(known).x!, "base64url"))
        .update(text)
        .digest("base64url")}`;
    }),
    attempt("of a stranger's under the name of our key", () => forged(scene.ann)),
    attempt("that brings its key along (jwk)", () => forged(scene.ann, { jwk: { kty: "OKP", crv: "Ed25519", x: strangeJwk.x } })),
    attempt("that says where its key is to be had (jku): nobody looks there", () =>
      forged(scene.ann, { jku: `${scene.base}/jwks.json`, kid: "s" }),
    ),
    attempt("whose key is a file (kid)", () => forged(scene.ann, { kid: "../../../../dev/null" })),
    attempt("whose key is a query (kid)", () => forged(scene.ann, { kid: "x' UNION SELECT 'k" })),
    attempt("whose key is what every object has (kid)", () => forged(scene.ann, { kid: "__proto__" })),
    attempt("of another issuer", () => signed({ ...known }, "another", admin, 60)),
    attempt("for somebody else to take (aud)", () => {
      const text = `${b64({ alg: "EdDSA", typ: "at+jwt", kid: known.kid })}.${b64({ ...read(scene.ann, 1), iss: issuer, aud: "shop" })}`;
      const key = createPrivateKey({ key: known.jwk as never, format: "jwk" });
      return `${text}.${sign(null, Buffer.from(text), key).toString("base64url")}`;
    }),
    attempt("that is over", () => signed(known, issuer, admin, 60, Date.now() - 3_600_000)),
    attempt("whose roles were changed", () => {
      const [head, , signature] = scene.ann.split(".");
      return `${head}.${b64({ ...read(scene.ann, 1), roles: ["admin"] })}.${signature}`;
    }),
    attempt("whose end was put off", () => {
      const [head, , signature] = scene.ann.split(".");
      return `${head}.${b64({ ...read(scene.ann, 1), exp: 4_000_000_000 })}.${signature}`;
    }),
    attempt("that another node says of itself", () => {
      const text = `${b64({ alg: "EdDSA", typ: "node+jwt" })}.${b64({ iss: issuer, sub: "gateway", aud: "*", iat: 1, exp: 4_000_000_000 })}`;
      return `${text}.${sign(null, Buffer.from(text), strange).toString("base64url")}`;
    }),
    {
      name: "a token whose session was ended (revoked)",
      legitimate,
      attack: async () => {
        const { json } = await login("bob@acme.example");
        const token = json.accessToken as string;
        assert.equal((await get("customers", token)).status, 200);
        await post("auth/logout", {}, token);
        await until(async () => (await get("customers", token)).status === 401);
        return get("customers", token);
      },
      refused: [401],
    },
    {
      name: "an API key that was taken back",
      legitimate,
      attack: async () => {
        const { json } = await post("auth/keys", { password: PASSWORD, name: "k", roles: ["trader"] }, scene.bob);
        const key = json.key as string;
        assert.equal((await get("customers", key)).status, 200);
        await api(`auth/keys/${json.id}`, { method: "DELETE", headers: by(scene.bob) });
        await until(async () => (await get("customers", key)).status === 401);
        return get("customers", key);
      },
      refused: [401],
    },
    {
      name: "a refresh token that was used (stolen): its session ends",
      legitimate,
      attack: async () => {
        const { json } = await login("bob@acme.example");
        const old = json.refreshToken as string;
        let newest = old;
        for (let n = 0; n < 3; n++) newest = (await post("auth/refresh", { refreshToken: newest })).json.refreshToken as string;
        const stolen = await post("auth/refresh", { refreshToken: old });
        assert.equal((await post("auth/refresh", { refreshToken: newest })).status, 401, "and nobody goes on with it");
        return stolen;
      },
      refused: [401],
    },
    {
      name: "an API key that makes itself another (a machine may not change how its user logs in)",
      legitimate: () => post("auth/keys", { password: PASSWORD, name: "k2", roles: ["trader"] }, scene.ann),
      attack: async () => {
        const { json } = await post("auth/keys", { password: PASSWORD, name: "k3", roles: ["trader"] }, scene.ann);
        return post("auth/keys", { password: PASSWORD, name: "k4", roles: ["trader"] }, json.key as string);
      },
      refused: [403],
    },
    {
      name: "a policy that gives oneself everything",
      legitimate,
      attack: () => post("policies", { id: "trader", grants: ["*.*"] }, scene.ann),
      refused: [403],
    },
    {
      name: "asking what others may do",
      legitimate,
      attack: () => post("policies/check", { user: "bob", action: "v1.users.remove" }, scene.ann),
      refused: [403],
    },
    {
      name: "a keeper of one's own choice in an amendment (mass assignment)",
      legitimate: () =>
        post(
          "deals",
          { id: "amended", saleParty: "acme", currency: "GBP", lines: [{ product: "p1", quantity: "1", rate: "1" }] },
          scene.ann,
        ),
      attack: () =>
        api("deals/amended", {
          method: "PATCH",
          body: { country: "EIRE", owner: "bob", team: "x" },
          headers: by(scene.ann, { "If-Match": "*" }),
        }),
      harmless: async () => {
        const { json } = await get("deals/amended", scene.ann);
        assert.deepEqual([json.owner, json.team], ["ann", undefined]);
      },
    },
    {
      name: "a deal given away by whoever may only write it",
      legitimate: () => get("deals", scene.ann),
      attack: () => api("deals/amended/keepers", { method: "PUT", body: { owner: "eve" }, headers: by(scene.bob) }),
      refused: [403],
    },
  ];
};
