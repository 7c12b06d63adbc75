import type { TestContext } from "node:test";
import { withUser } from "./clients.ts";
import { type Person, REDIRECT, startProvider, visit } from "./openid.ts";
import { folder } from "./system.ts";

export const PEOPLE: Record<string, Person> = {
  "a-1": { email: "Ann@acme.example", email_verified: true, name: "Ann" },
  "a-2": { email: "ann@acme.example", email_verified: false, name: "Ann, as she says" },
  "a-3": { email: "ann@acme.example", email_verified: true, name: "who has Ann's address now" },
  "a-4": { email: "ａnn@acme.example", email_verified: true, name: "Ann in wide letters" },
  "n-1": { email: "new@acme.example", email_verified: true, name: "New" },
  "o-1": { email: "odd@elsewhere.example", email_verified: true },
};
export const CLIENT = { name: "acme", clientId: "banyan", clientSecret: "a secret of two", redirectUri: REDIRECT };

export const named = (name: string, issuer: string, more: object = {}) => ({
  ...CLIENT,
  name,
  issuer,
  redirectUri: `${REDIRECT}/${name}`,
  ...more,
});

type Settings = Record<string, unknown>;

/** A system with Ann, who has a password, and a provider that knows more people. */
export const start = async (t: TestContext, settings: Settings = { linkByEmail: true }, more: Settings[] = []) => {
  const provider = await startProvider(t, PEOPLE);
  const acme = { ...CLIENT, issuer: provider.url, ...settings };
  const system = await withUser(t, ["trader"], { DATA_DIR: folder(t), OIDC_PROVIDERS: JSON.stringify([acme, ...more]) });
  const { post } = system;
  const begin = async (name = "acme") => (await post(`auth/providers/${name}/begin`)).json as Record<"url" | "state" | "binding", string>;
  const finish = (body: object, name = "acme") => post(`auth/providers/${name}/finish`, body);
  /** All that a front end does for somebody. */
  const login = async (person: string) => {
    provider.at.person = person;
    const { url, binding } = await begin();
    const back = await visit(url);
    return finish({ ...back, binding });
  };
  return { ...system, provider, begin, finish, byProvider: login };
};
