import "./credentials.env.ts";
import { operatorKeyOf, signed } from "../../mixins/trust/access-token.ts";

const DAY = 86_400;

/** A header that says who asks: an administrator where no roles are named. */
export const bearer = async (id = "tester", roles: readonly string[] = ["admin"], teams: readonly string[] = []): Promise<string> =>
  `Bearer ${await signed(operatorKeyOf(Buffer.from(process.env.MASTER_KEY!, "base64")), process.env.ISSUER!, { id, roles, teams }, DAY)}`;

export const authorization = await bearer();

/** As the global one, by an administrator. */
export const fetch: typeof globalThis.fetch = (url, init) =>
  globalThis.fetch(url, { ...init, headers: { authorization, ...(init?.headers as Record<string, string>) } });
