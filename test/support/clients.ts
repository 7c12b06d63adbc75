import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type { TestContext } from "node:test";
import { bearer } from "./credentials.ts";
import { ask } from "./http.ts";
import { folder, type System, startSystem } from "./system.ts";

export const PASSWORD = "a wet umbrella in the hall";
export const ROOMS = ["gateway", "auth", "users", "policies", "customers"];
const NOBODY = { authorization: undefined };

/** What a client does with a system's login. */
export const client = ({ url }: System) => {
  const post = async (path: string, body: object = {}, token?: string) =>
    ask(`${url}/api/v1/${path}`, { method: "POST", body, headers: token === undefined ? NOBODY : { authorization: `Bearer ${token}` } });
  const get = (path: string, token?: string) =>
    ask(`${url}/api/v1/${path}`, { headers: token === undefined ? NOBODY : { authorization: `Bearer ${token}` } });
  const login = async (email: string, password = PASSWORD, code?: string) =>
    (await post("auth/login", { email, password, ...(code && { code }) })) as unknown as {
      status: number;
      json: Granted & { code?: string };
    };
  return { url, post, get, login };
};
export interface Granted {
  accessToken: string;
  refreshToken: string;
}

/** A system with a user of these roles who can log in. */
export const withUser = async (t: TestContext, roles: string[] = ["trader"], env: Record<string, string> = { DATA_DIR: folder(t) }) => {
  const system = await startSystem(t, env, ROOMS);
  const own = client(system);
  const admin = (await bearer()).slice("Bearer ".length);
  const made = await own.post("users", { id: "ann", name: "Ann", email: "Ann@Acme.example", roles }, admin);
  assert.equal(made.status, 201, made.text);
  const { json } = await own.post("auth/users/ann/link", {}, admin);
  const redeemed = await own.post("auth/redeem", { link: json.link, password: PASSWORD });
  assert.deepEqual([redeemed.status, redeemed.json], [200, { user: "ann", email: "ann@acme.example" }], redeemed.text);
  return { system, env, admin, link: json.link as string, ...own };
};
export const codeOf = ({ status, json }: { status: number; json: { code?: unknown } }) => [status, json.code];

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What an authenticator shows now for a secret (RFC 6238), worked out here by itself. */
export const codeShown = (secret: string): string => {
  const bits = [...secret].map((character) => BASE32.indexOf(character).toString(2).padStart(5, "0")).join("");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac("sha1", Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2))))
    .update(counter)
    .digest();
  return String((mac.readUInt32BE(mac[19]! & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
};
