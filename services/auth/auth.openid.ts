import { LRUCache } from "lru-cache";
import type { Logger } from "moleculer";
import * as client from "openid-client";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import type { Provider } from "../../mixins/runtime/issuers.ts";
import { boundedFetch } from "../../mixins/trust/bounded-fetch.ts";
import { LASTS, type State, stateInvalid } from "./auth.sealed.ts";

const FRESH = 3_600_000; // milliseconds after which a provider is asked again what it is
const PAUSE = 2_000; // milliseconds after it could not be asked
const PATIENCE = 5; // seconds
const MOST_RETURNED = 20_000;

/** What a browser brings back from a provider. */
export interface Returned {
  readonly code: string;
  readonly state: string;
  /** Who answered it, where the provider says so (RFC 9207): another one's code must not be sent to this one. */
  readonly iss?: string;
}
/** Who a provider says it is; an address only where it has verified that it is his. */
export interface Claims {
  readonly subject: string;
  readonly email?: string;
  readonly name?: string;
}

interface Known {
  readonly configuration: Promise<client.Configuration>;
  readonly since: number;
}

/** The configured providers: what each says of itself is asked once an hour, and its keys when one is needed. */
export class Providers {
  readonly names: readonly string[];
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #known = new Map<string, Known>();
  readonly #failed = new Map<string, number>();
  /** Logins that came back here: sent twice, as pages do, a code would have the provider take back what it gave for it. */
  readonly #returned = new LRUCache<string, true>({ max: MOST_RETURNED, ttl: LASTS });
  readonly #logger: Pick<Logger, "warn">;

  constructor(providers: readonly Provider[], logger: Pick<Logger, "warn">) {
    this.#providers = new Map(providers.map((provider) => [provider.name, provider]));
    this.names = [...this.#providers.keys()];
    this.#logger = logger;
  }

  /** Throws `PROVIDER_NOT_FOUND`. */
  named(name: string): Provider {
    const provider = this.#providers.get(name);
    if (!provider) throw new Rejected("PROVIDER_NOT_FOUND", "There is no provider of this name; GET /auth/providers lists them", 404);
    return provider;
  }

  /** Where the browser goes. Throws `PROVIDER_UNAVAILABLE`. */
  async address(provider: Provider, state: string, { nonce, verifier }: State): Promise<string> {
    const configuration = await this.#configuration(provider);
    const { redirectUri, scopes } = provider;
    const challenge = await client.calculatePKCECodeChallenge(verifier);
    return client.buildAuthorizationUrl(configuration, {
      ...{ redirect_uri: redirectUri, scope: scopes.join(" "), state, nonce },
      ...{ code_challenge: challenge, code_challenge_method: "S256" },
    }).href;
  }

  /** Who came back. Throws `PROVIDER_REFUSED` (401) where the provider, or what it signed, says otherwise, and `PROVIDER_UNAVAILABLE`: then it may come again. */
  async claims(provider: Provider, returned: Returned, begun: State): Promise<Claims> {
    if (this.#returned.has(begun.id)) throw stateInvalid();
    this.#returned.set(begun.id, true);
    try {
      return await exchanged(await this.#configuration(provider), provider, returned, begun);
    } catch (error) {
      if (isRefusal(error as Failure)) throw refused(error as Failure);
      this.#returned.delete(begun.id);
      throw error instanceof Unavailable ? error : this.#away(provider, error as Failure);
    }
  }

  /** As it was last told, where it cannot be told anew. */
  #configuration(provider: Provider): Promise<client.Configuration> {
    const [now, known] = [performance.now(), this.#known.get(provider.name)];
    if (known && now - known.since < FRESH) return known.configuration;
    if (now - (this.#failed.get(provider.name) ?? Number.NEGATIVE_INFINITY) < PAUSE) {
      if (known) return known.configuration;
      throw unavailable(provider);
    }
    const asked = discovered(provider).catch((error: Failure) => {
      const failure = this.#away(provider, error);
      if (known) this.#known.set(provider.name, known);
      else this.#known.delete(provider.name);
      this.#failed.set(provider.name, performance.now());
      if (known) return known.configuration;
      throw failure;
    });
    this.#known.set(provider.name, { configuration: asked, since: now });
    return asked;
  }

  #away(provider: Provider, error: Failure): Unavailable {
    const [reason, message] = [error.error ?? error.code ?? error.name, error.message].map((text) => String(text).slice(0, 200));
    this.#logger.warn({ event: "provider.unavailable", provider: provider.name, reason, error: message }, "nobody logs in there now");
    return unavailable(provider);
  }
}

/** Its answers to what we ask are errors of this library's, with what the provider said. */
type Failure = Error & { code?: string; error?: string; status?: number };

const discovered = async (provider: Provider): Promise<client.Configuration> => {
  const { issuer, clientId, clientSecret, clientAuthentication, algorithm, hosts } = provider;
  const authentication = !clientSecret
    ? client.None()
    : clientAuthentication === "post"
      ? client.ClientSecretPost(clientSecret)
      : client.ClientSecretBasic(clientSecret);
  const url = new URL(issuer);
  const configuration = await client.discovery(url, clientId, { id_token_signed_response_alg: algorithm }, authentication, {
    [client.customFetch]: boundedFetch(issuer, hosts) as client.CustomFetch,
    timeout: PATIENCE,
    /** An ID token's signature is checked although it came over TLS; without TLS only on this host. */
    execute: [client.enableNonRepudiationChecks, ...(url.protocol === "http:" ? [client.allowInsecureRequests] : [])],
  });
  const { issuer: told, authorization_endpoint: address } = configuration.serverMetadata();
  if (told !== issuer) throw new TypeError(`It calls itself ${told}, and ${issuer} is configured`);
  if (!address || ![url.host, ...hosts].includes(new URL(address).host))
    throw new TypeError("Its authorization endpoint is at a host of nobody's");
  return configuration;
};

const exchanged = async (
  configuration: client.Configuration,
  { redirectUri, scopes }: Provider,
  { code, state, iss }: Returned,
  { nonce, verifier }: State,
): Promise<Claims> => {
  const url = new URL(redirectUri);
  url.search = new URLSearchParams({ code, state, ...(iss !== undefined && { iss }) }).toString();
  const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(configuration, url, checks);
  const told = tokens.claims()!;
  const asks = told.email === undefined && scopes.includes("email") && configuration.serverMetadata().userinfo_endpoint;
  const more = asks ? await client.fetchUserInfo(configuration, tokens.access_token, told.sub) : told;
  const verified = more.email_verified === true && typeof more.email === "string";
  const name = typeof more.name === "string" && more.name !== "" ? more.name.slice(0, 200).toWellFormed() : undefined;
  return { subject: told.sub, ...(verified && { email: String(more.email) }), ...(name && { name }) };
};

/** What is final: this code, or this ID token, does not count. What is wrong with us or with the provider may be right later. */
const FINAL =
  /^OAUTH_(AUTHORIZATION_RESPONSE_ERROR|INVALID_RESPONSE|JWT_TIMESTAMP_CHECK_FAILED|(JWT_CLAIM|JSON_ATTRIBUTE)_COMPARISON_FAILED|KEY_SELECTION_FAILED)$/;
const isRefusal = ({ code = "", error }: Failure): boolean => FINAL.test(code) || error === "invalid_grant" || error === "access_denied";

const refused = (cause: Failure) =>
  Object.assign(
    new Rejected("PROVIDER_REFUSED", "The provider does not take this code, or what it says of it is not for us: begin again", 401),
    {
      cause,
    },
  );

const unavailable = ({ name }: Provider) =>
  new Unavailable("PROVIDER_UNAVAILABLE", `${name} cannot be asked at the moment, or does not know us; log in otherwise, or try again`);
