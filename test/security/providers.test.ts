import assert from "node:assert/strict";
import { test } from "node:test";
import { client, codeOf, ROOMS } from "../support/clients.ts";
import { newKey, startLiar, visit } from "../support/openid.ts";
import { CLIENT, named, start } from "../support/providers.ts";
import { folder, run, startSystem } from "../support/system.ts";

test("a login is finished by the browser that began it, at the provider where it began, once", async (t) => {
  const liar = await startLiar(t, [await newKey("k")]);
  const { begin, finish, provider } = await start(t, { linkByEmail: true }, [named("other", liar.url)]);
  provider.at.person = "a-1";
  const whole = async () => {
    const { url, binding } = await begin();
    return { ...(await visit(url)), binding };
  };
  const [mine, theirs, elsewhere] = [await begin(), await begin(), await begin("other")];
  const back = { ...(await visit(mine.url)), binding: mine.binding } as Record<string, string>;
  for (const [why, change, ...told] of [
    ["another browser's binding: its login would be slipped to this one", { binding: theirs.binding }, 401, "STATE_INVALID"],
    ["another login's state", { state: theirs.state }, 401, "STATE_INVALID"],
    ["a state of another provider's", { state: elsewhere.state, binding: elsewhere.binding }, 401, "STATE_INVALID"],
    ["a state that was changed", { state: `${back.state!.slice(0, -2)}AA` }, 401, "STATE_INVALID"],
    ["a state that is none", { state: "x" }, 401, "STATE_INVALID"],
    ["no state", { state: "" }, 422, "VALIDATION_ERROR"],
    ["no binding", { binding: undefined }, 422, "VALIDATION_ERROR"],
    ["another login, whole, with this one's code", { state: theirs.state, binding: theirs.binding }, 401, "PROVIDER_REFUSED"],
  ] as const) {
    assert.deepEqual(codeOf(await finish({ ...back, ...change })), told, why);
  }
  for (const [why, change] of [
    ["the word of another issuer", { iss: liar.url }],
    ["no word of the issuer, which always gives it", { iss: undefined }],
    ["a code that is none", { code: "x".repeat(43) }],
  ] as const) {
    const own = await whole();
    assert.deepEqual(codeOf(await finish({ ...own, ...change })), [401, "PROVIDER_REFUSED"], why);
    assert.deepEqual(codeOf(await finish(own)), [401, "STATE_INVALID"], `${why}, and then all of it`);
  }
  const own = await whole();
  assert.deepEqual(codeOf(await finish(own, "other")), [401, "STATE_INVALID"], "finished at another provider");
  assert.deepEqual(codeOf(await finish(own, "nobody")), [404, "PROVIDER_NOT_FOUND"]);
  const told = await Promise.all(Array.from({ length: 4 }, () => finish(own)));
  assert.deepEqual(told.map(({ status }) => status).sort(), [200, 401, 401, 401], told.map(({ text }) => text).join());
  assert.deepEqual(codeOf(await finish(own)), [401, "STATE_INVALID"], "it comes again");
  const again = await begin();
  assert.equal((await finish({ ...(await visit(again.url)), binding: again.binding })).status, 200);
  const later = await visit(again.url);
  assert.deepEqual(codeOf(await finish({ ...later, binding: again.binding })), [401, "STATE_INVALID"], "with a code of its own");
  const odd = await begin();
  const bad = new URL(odd.url);
  bad.searchParams.set("nonce", "another one");
  assert.deepEqual(
    codeOf(await finish({ ...(await visit(bad.href)), binding: odd.binding })),
    [401, "PROVIDER_REFUSED"],
    "a nonce of somebody else's",
  );
  const unchallenged = await begin();
  const swapped = new URL(unchallenged.url);
  swapped.searchParams.set("code_challenge", new URL(odd.url).searchParams.get("code_challenge")!);
  const taken = await visit(swapped.href);
  assert.deepEqual(
    codeOf(await finish({ ...taken, binding: unchallenged.binding })),
    [401, "PROVIDER_REFUSED"],
    "a code for another verifier",
  );
  assert.doesNotMatch(Buffer.from(again.state, "base64url").toString("latin1"), /verifier|nonce|acme/, "the state tells nothing");
});

test("a login that was finished is not finished again after a restart", async (t) => {
  const { begin, finish, provider, system, env } = await start(t);
  provider.at.person = "a-1";
  const { url, binding } = await begin();
  assert.equal((await finish({ ...(await visit(url)), binding })).status, 200);
  await system.stop();
  const { post } = client(await startSystem(t, env, ROOMS));
  assert.deepEqual(codeOf(await post("auth/providers/acme/finish", { ...(await visit(url)), binding })), [401, "STATE_INVALID"]);
});

test("while the provider is away its logins are told so, and others go on", async (t) => {
  const away = await startLiar(t, []);
  const { begin, finish, provider, login, post } = await start(t, {}, [named("away", away.url)]);
  provider.at.person = "a-1";
  const { url, binding } = await begin();
  const back = await visit(url);
  await Promise.all([away.stop(), provider.stop()]);
  for (let n = 0; n < 3; n++) {
    const { status, json, headers } = await post("auth/providers/away/begin");
    assert.deepEqual([status, json.code, headers["retry-after"]], [503, "PROVIDER_UNAVAILABLE", "1"]);
  }
  assert.deepEqual(codeOf(await finish({ ...back, binding })), [503, "PROVIDER_UNAVAILABLE"]);
  assert.equal((await login("ann@acme.example")).status, 200);
});

test("an ID token that is for somebody else, too old, or signed by nobody whom the provider names lets nobody in", async (t) => {
  const [key, strange] = [await newKey("k"), await newKey("k")];
  const liar = await startLiar(t, [key]);
  const { begin, finish } = await start(t, {}, [named("liar", liar.url, { linkByEmail: true })]);
  const now = Math.floor(Date.now() / 1_000);
  const secret = Buffer.from(CLIENT.clientSecret);
  const { SignJWT, UnsecuredJWT } = await import("jose");
  const attempt = async (make: (claims: Record<string, unknown>) => Promise<string> | string) => {
    const { url, state, binding } = await begin("liar");
    const nonce = new URL(url).searchParams.get("nonce");
    const claims = {
      iss: liar.url,
      aud: "banyan",
      sub: "a-1",
      iat: now,
      exp: now + 300,
      nonce,
      email: "ann@acme.example",
      email_verified: true,
    };
    liar.idToken = await make(claims);
    return finish({ code: "x", state, binding, iss: liar.url }, "liar");
  };
  const good = await attempt((claims) => key.sign(claims, { typ: "JWT" }));
  assert.equal(good.status, 200, good.text);
  for (const [why, make] of Object.entries<(claims: Record<string, unknown>) => Promise<string> | string>({
    "another client's": (claims) => key.sign({ ...claims, aud: "another" }),
    "for two, by another one's word": (claims) => key.sign({ ...claims, aud: ["banyan", "another"], azp: "another" }),
    "too old": (claims) => key.sign({ ...claims, iat: now - 900, exp: now - 600 }),
    "another issuer's": (claims) => key.sign({ ...claims, iss: "https://accounts.example" }),
    "without nonce": ({ nonce: _, ...claims }) => key.sign(claims),
    "of nobody": ({ sub: _, ...claims }) => key.sign(claims),
    "signed by a strange key of the same name": (claims) => strange.sign(claims),
    "signed with the client's secret (HS256)": (claims) => new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(secret),
    "not signed (none)": (claims) => new UnsecuredJWT(claims).encode(),
    "no token": () => "x",
  })) {
    const { status, json, text } = await attempt(make);
    assert.deepEqual([status, json.code], [401, "PROVIDER_REFUSED"], `${why}: ${text}`);
  }
});

test("a provider's documents lead nowhere else: not by a redirect, not to another host, not without end", async (t) => {
  const inside = await startLiar(t, []);
  const lead: [string, (liar: Awaited<ReturnType<typeof startLiar>>) => void][] = [
    [
      "redirects",
      (liar) => {
        liar.redirect = `${inside.url}/secret`;
      },
    ],
    [
      "keys",
      (liar) => {
        liar.about.jwks_uri = `${inside.url}/secret`;
      },
    ],
    [
      "tokens",
      (liar) => {
        liar.about.token_endpoint = `${inside.url}/secret`;
      },
    ],
    [
      "people",
      (liar) => {
        liar.about.authorization_endpoint = `${inside.url}/secret`;
      },
    ],
    [
      "book",
      (liar) => {
        liar.about.more = "x".repeat(300_000);
      },
    ],
    [
      "another",
      (liar) => {
        liar.about.issuer = inside.url;
      },
    ],
  ];
  const liars = await Promise.all(
    lead.map(async ([name, spoil]) => {
      const key = await newKey("k");
      const liar = await startLiar(t, [key]);
      spoil(liar);
      return { name, liar, key };
    }),
  );
  const { begin, finish } = await start(
    t,
    {},
    liars.map(({ name, liar }) => named(name, liar.url, { linkByEmail: true })),
  );
  const now = Math.floor(Date.now() / 1_000);
  for (const { name, liar, key } of liars) {
    const { url, state, binding, code } = (await begin(name)) as unknown as Record<string, string>;
    if (url === undefined) {
      assert.equal(code, "PROVIDER_UNAVAILABLE", name);
      continue;
    }
    const nonce = new URL(url).searchParams.get("nonce");
    liar.idToken = await key.sign({ iss: liar.url, aud: "banyan", sub: "a-1", iat: now, exp: now + 300, nonce });
    assert.deepEqual(codeOf(await finish({ code: "x", state, binding, iss: liar.url }, name)), [503, "PROVIDER_UNAVAILABLE"], name);
  }
  assert.deepEqual(inside.asked, []);
});

test("what is wrong with the settings stops the start with one line, which tells no secret", async (t) => {
  const provider = { ...CLIENT, issuer: "https://login.example" };
  const issuer = { issuer: "https://login.example", audience: "banyan", roles: {}, prefix: "x" };
  const wrong: [string, unknown, RegExp][] = [
    ["OIDC_PROVIDERS", "a secret of two", /OIDC_PROVIDERS must be a JSON list/],
    ["OIDC_PROVIDERS", {}, /must be a JSON list/],
    ["OIDC_PROVIDERS", [{ ...provider, issuer: undefined }], /OIDC_PROVIDERS, 1: The 'issuer' field is required/],
    ["OIDC_PROVIDERS", [{ ...provider, issuer: "http://login.example" }], /issuer must begin with https/],
    ["OIDC_PROVIDERS", [{ ...provider, issuer: "file:///etc/passwd" }], /issuer must begin with https/],
    ["OIDC_PROVIDERS", [{ ...provider, redirectUri: "http://shop.example" }], /redirectUri must begin with https/],
    ["OIDC_PROVIDERS", [provider, provider], /two have the name acme/],
    ["OIDC_PROVIDERS", [provider, { ...provider, name: "two" }], /two have the redirectUri/],
    ["OIDC_PROVIDERS", [{ ...provider, createWith: ["King!"] }], /createWith/],
    ["OIDC_PROVIDERS", [{ ...provider, scopes: ["email"] }], /scopes must have openid/],
    ["OIDC_PROVIDERS", [{ ...provider, linkByEmial: true }], /linkByEmial/],
    ["OIDC_PROVIDERS", [{ ...provider, linkByEmail: "false" }], /linkByEmail/],
    ["OIDC_PROVIDERS", [{ ...provider, algorithm: "HS256" }], /algorithm/],
    ["TRUSTED_ISSUERS", [{ ...issuer, algorithms: ["HS256"] }], /algorithms/],
    ["TRUSTED_ISSUERS", [{ ...issuer, algorithms: ["none"] }], /algorithms/],
    ["TRUSTED_ISSUERS", [{ ...issuer, audience: undefined }], /audience/],
    ["TRUSTED_ISSUERS", [{ ...issuer, maxAge: 1e9 }], /maxAge/],
    ["TRUSTED_ISSUERS", [{ ...issuer, roles: { boss: ["King!"] } }], /roles/],
    ["TRUSTED_ISSUERS", [{ ...issuer, jwksUri: "http://keys.example" }], /jwksUri must begin with https/],
    ["TRUSTED_ISSUERS", [issuer, { ...issuer, issuer: "https://two.example" }], /two have the prefix x/],
  ];
  const data = folder(t);
  for (const [variable, value, told] of wrong) {
    const { code, stderr, stdout } = await run(["--import", "./mixins/runtime/needs-node-26.js", "start.ts"], {
      ...{ DATA_DIR: data, PORT: "0" },
      [variable]: typeof value === "string" ? value : JSON.stringify(value),
    });
    assert.equal(code, 2, `${told} ${stderr} ${stdout}`);
    assert.match(stderr, told);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.doesNotMatch(stderr, /a secret of two/);
  }
});
