import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import Provider, { type Configuration } from "oidc-provider";
import { ask } from "./http.ts";

/** Where browsers are sent back to: nobody listens there, the test is the browser. */
export const REDIRECT = "http://127.0.0.1:9/login/callback";
const SCOPES = "openid email profile";

export interface Person {
  email?: string;
  email_verified?: boolean;
  name?: string;
}

export interface Issuer {
  url: string;
  /** Its server goes away, and refuses whoever comes. */
  stop(): Promise<unknown>;
}

const listening = async (t: TestContext) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  t.after(stop);
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
};

/** oidc-provider, with a client `banyan`; whoever is `at` the browser logs in there without being asked. */
export const startProvider = async (t: TestContext, people: Record<string, Person>, at = { person: "" }) => {
  const { server, url, stop } = await listening(t);
  const clients = [
    { client_id: "banyan", client_secret: "a secret of two", redirect_uris: [REDIRECT], grant_types: ["authorization_code"] },
    { client_id: "machine", client_secret: "a secret of two", redirect_uris: [], response_types: [], grant_types: ["client_credentials"] },
  ] as Configuration["clients"];
  const provider = new Provider(url, {
    clients,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    pkce: { required: () => true },
    findAccount: (_ctx, sub) => (people[sub] ? { accountId: sub, claims: () => ({ sub, ...people[sub] }) } : undefined),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client!.clientId, accountId: ctx.oidc.session!.accountId! });
      grant.addOIDCScope(SCOPES);
      await grant.save();
      return grant;
    },
    extraTokenClaims: () => ({ roles: ["desk", "boss of another system"] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: "", accessTokenFormat: "jwt", accessTokenTTL: 600, jwt: { sign: { alg: "RS256" } } }),
      },
    },
  });
  const callback = provider.callback();
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    if (!req.url!.startsWith("/interaction/")) return callback(req, res);
    return provider.interactionFinished(req, res, { login: { accountId: at.person, remember: false } });
  });
  return { url, stop, at };
};

/** A browser that nobody has used before goes to the provider and is sent back: with what. */
export const visit = async (address: string): Promise<Record<string, string>> => {
  const cookies = new Map<string, string>();
  let url = address;
  for (let hops = 0; hops < 8 && !url.startsWith(REDIRECT); hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const { status, headers, text } = await ask(url, { headers: { authorization: undefined, cookie } });
    assert.ok(status === 302 || status === 303, `${status} ${text}`);
    for (const line of headers["set-cookie"] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      cookies.set(name!, value!);
    }
    url = new URL(headers.location!, url).href;
  }
  return Object.fromEntries(new URL(url).searchParams);
};

export interface Key {
  sign(claims: JWTPayload, header?: object): Promise<string>;
  jwk: JWK;
}

export const newKey = async (kid: string): Promise<Key> => {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  return {
    sign: (claims, header = {}) => new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid, typ: "at+jwt", ...header }).sign(privateKey),
    jwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" },
  };
};

/** An issuer that says whatever a test wants: what it answers at a path, as JSON. It counts how often it is asked. */
export const startLiar = async (t: TestContext, first: readonly Key[]) => {
  const { server, url, stop } = await listening(t);
  const asked: string[] = [];
  const about = {
    issuer: url,
    jwks_uri: `${url}/jwks`,
    authorization_endpoint: `${url}/auth`,
    token_endpoint: `${url}/token`,
    authorization_response_iss_parameter_supported: true,
  };
  const liar = { url, stop, asked, keys: first, about: about as Record<string, unknown>, idToken: "", userinfo: {}, redirect: "" };
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    asked.push(req.url!);
    req.resume();
    const answers: Record<string, unknown> = {
      "/.well-known/openid-configuration": liar.about,
      "/jwks": { keys: liar.keys.map(({ jwk }) => jwk) },
      "/token": { access_token: "x", token_type: "Bearer", id_token: liar.idToken },
      "/userinfo": liar.userinfo,
    };
    if (liar.redirect) return res.writeHead(302, { location: liar.redirect }).end();
    res.writeHead(req.url! in answers ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(answers[req.url!] ?? {}));
  });
  return liar;
};
