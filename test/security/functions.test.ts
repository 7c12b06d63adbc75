import "../support/credentials.env.ts";
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ANYONE, ROLES, refusalOf } from "../../mixins/core/policy.ts";
import { bearer } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import { folder, startSystem } from "../support/system.ts";

/** Each route of the API by each role (OWASP API5:2023, broken function level authorization). */
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly permission: string;
  readonly responses: object;
  readonly secured: boolean;
}

type Described = Record<string, Record<string, { "x-permission"?: string; responses: object; security?: object[] }>>;

const start = async (t: TestContext) => {
  const { url } = await startSystem(t, { DATA_DIR: folder(t), RATE_LIMIT: "0" });
  const { json } = await ask(`${url}/openapi.json`);
  const operations = Object.entries(json.paths as Described).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { "x-permission": permission = ANYONE, responses, security }]): Operation => {
      return { method: method.toUpperCase(), path, permission, responses, secured: security !== undefined };
    }),
  );
  /** Sends what has an id where one is asked for, and nothing else: whether he may is asked before what he wants. */
  const send = ({ method, path }: Operation, authorization: string | undefined) => {
    const body = method === "GET" || method === "DELETE" ? undefined : {};
    return ask(url + path.replace(/\{\w+\}/g, "some"), { method, body, headers: { authorization, "If-Match": "*" } });
  };
  return { operations, send };
};

test("every route says what it takes, and answers 401 and 403 as it says", async (t) => {
  const { operations, send } = await start(t);
  assert.ok(operations.length > 50);
  const open = operations.filter(({ permission }) => permission === ANYONE).map(({ path }) => path.replace("/api/v1/", ""));
  const atProviders = ["", "/{provider}/begin", "/{provider}/confirm", "/{provider}/finish"].map((path) => `auth/providers${path}`);
  assert.deepEqual(open.sort(), ["auth/login", ...atProviders, "auth/redeem", "auth/refresh"], "what takes no login");
  for (const operation of operations) {
    const { method, path, permission, responses, secured } = operation;
    const about = `${method} ${path}`;
    assert.equal(secured, permission !== ANYONE, about);
    if (permission === ANYONE) continue;
    assert.ok("401" in responses && "403" in responses, about);
    for (const [authorization, code] of [
      [undefined, "LOGIN_REQUIRED"],
      ["Bearer", "TOKEN_INVALID"],
      ["Basic YWRtaW46YWRtaW4=", "TOKEN_INVALID"],
      ["Bearer eyJhbGciOiJub25lIn0.e30.", "TOKEN_INVALID"],
    ] as const) {
      const { status, json, headers } = await send(operation, authorization);
      assert.deepEqual([status, json.code], [401, code], about);
      assert.match(String(headers["www-authenticate"]), /^Bearer/);
    }
  }
});

test("each role may do on each route what its permissions say: the others are told no, and it is not", async (t) => {
  const { operations, send } = await start(t);
  const seen = { may: 0, mayNot: 0 };
  for (const role of [...Object.keys(ROLES), "nobody's"]) {
    const authorization = await bearer(`a-${role.replace(/\W/g, "")}`, [role]);
    for (const operation of operations) {
      const expected = refusalOf({ id: "a", roles: [role] }, operation.permission);
      const { status, json } = await send(operation, authorization);
      const about = `${role}: ${operation.method} ${operation.path} ${status} ${json.code}`;
      assert.ok(status < 500, about);
      assert.equal(json.code === "NOT_ALLOWED", expected !== undefined, about);
      if (expected) assert.equal(status, 403, about);
      else assert.notEqual(json.code, "LOGIN_REQUIRED", about);
      seen[expected ? "mayNot" : "may"]++;
    }
  }
  assert.ok(seen.may > 100 && seen.mayNot > 100, JSON.stringify(seen));
});
