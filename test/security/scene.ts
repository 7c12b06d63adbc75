import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bearer } from "../support/credentials.ts";
import { type Answer, type Asked, ask } from "../support/http.ts";
import { startSystem } from "../support/system.ts";

/**
 * What somebody might try (OWASP API Security Top 10 of 2023, by its number), with the request beside it that must succeed. None does what it is
 * meant to do, and none is a mistake of ours (5xx).
 */
export interface Attack {
  readonly name: string;
  readonly legitimate: () => Promise<Answer>;
  readonly attack: () => Promise<Answer>;
  /** Statuses that refuse it. Where it is taken, or more is to be said of it, `harmless` says why. */
  readonly refused?: readonly number[];
  readonly harmless?: (attack: Answer, legitimate: Answer) => void | Promise<void>;
}

export const PASSWORD = "a wet umbrella in the hall";

/** A system with traders Ann and Bob, who have logged in, and Eve, who has a link and no password. What it holds is there once it has started. */
export class Scene {
  base = "";
  ann = "";
  bob = "";
  readonly tokens: Record<string, { accessToken: string; refreshToken: string }> = {};
  readonly links: Record<string, string> = {};
  readonly made: Record<string, string> = {};
  readonly #ended: (() => unknown)[] = [];

  readonly api = (path: string, asked: Asked = {}): Promise<Answer> => ask(`${this.base}/api/v1/${path}`, asked);
  readonly by = (token: string | undefined, headers: Record<string, string> = {}) => ({
    authorization: token && `Bearer ${token}`,
    ...headers,
  });
  readonly post = (path: string, body: unknown, token?: string, headers: Record<string, string> = {}): Promise<Answer> =>
    this.api(path, { method: "POST", body, headers: this.by(token, headers) });
  readonly get = (path: string, token?: string, headers: Record<string, string> = {}): Promise<Answer> =>
    this.api(path, { headers: this.by(token, headers) });
  readonly login = (email: unknown, password: unknown = PASSWORD): Promise<Answer> => this.post("auth/login", { email, password });

  async start(): Promise<void> {
    const data = mkdtempSync(join(tmpdir(), "banyan-"));
    const t = { after: (done: () => unknown) => this.#ended.push(done) };
    ({ url: this.base } = await startSystem(t as never, { DATA_DIR: data, RATE_LIMIT: "0" }));
    this.#ended.push(() => rmSync(data, { recursive: true, force: true, maxRetries: 3 }));
    const admin = (await bearer()).slice("Bearer ".length);
    for (const id of ["ann", "bob", "eve"]) {
      const { status, text } = await this.post("users", { id, name: id, email: `${id}@acme.example`, roles: ["trader"] }, admin);
      assert.equal(status, 201, text);
      this.links[id] = (await this.post(`auth/users/${id}/link`, {}, admin)).json.link as string;
      if (id === "eve") continue;
      await this.post("auth/redeem", { link: this.links[id], password: PASSWORD });
      this.tokens[id] = (await this.login(`${id}@acme.example`)).json as never;
    }
    [this.ann, this.bob] = [this.tokens.ann!.accessToken, this.tokens.bob!.accessToken];
    this.made.session = ((await this.get("auth/sessions", this.bob)).json.items as { id: string }[])[0]!.id;
    this.made.key = (await this.post("auth/keys", { password: PASSWORD, name: "bob's", roles: ["trader"] }, this.bob)).json.id as string;
  }

  async end(): Promise<void> {
    for (const end of this.#ended.reverse()) await end();
  }
}
