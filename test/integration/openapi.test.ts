import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { echo } from "../support/door.service.ts";
import { ask, serve } from "../support/http.ts";
import { readHouse } from "../support/source.ts";
import { folder, HOUSE, startSystem } from "../support/system.ts";

/** Whatever is handed on and looks like a code is one; Node's own begin with ERR. */
const CODE = /(?:\(|,)\s*"((?!ERR_)[A-Z]+(?:_[A-Z]+)+)"\s*[,)]/g;

test("the description of the API is OpenAPI 3.1, and names every action that is published", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t) });
  const { json } = await ask(`${system.url}/openapi.json`);
  const result = await new Validator().validate(structuredClone(json));
  assert.equal(result.valid, true, JSON.stringify(result.errors));
  assert.equal(json.openapi, "3.1.0");

  const operations = Object.values(json.paths as Record<string, Record<string, { operationId: string }>>).flatMap((methods) =>
    Object.values(methods),
  );
  const ids = operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length, "an operation's name stands for one");
  const published = readHouse()
    .filter(({ path }) => /^services\/(?!gateway)[^/]+\/.*\.ts$/.test(path) && !path.endsWith(".test.ts"))
    .reduce((count, { text }) => count + (text.match(/^\s*rest: /gm)?.length ?? 0), 0);
  assert.ok(ids.length >= published, `${published} actions declare rest, ${ids.length} operations are described`);
});

test("an action's rules are told as the schema of its requests and answers", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { json } = await ask(`${url}/openapi.json`);
  const paths = json.paths as Record<string, Record<string, Record<string, unknown>>>;
  assert.deepEqual(Object.keys(paths).sort(), [
    "/api/v1/echo",
    "/api/v1/echo/break",
    "/api/v1/echo/hold",
    "/api/v1/echo/long",
    "/api/v1/echo/table",
    "/api/v1/echo/{id}",
  ]);
  assert.deepEqual((paths["/api/v1/echo"]!.get!.parameters as object[]).slice(0, 3), [
    { name: "limit", in: "query", required: false, schema: { type: "integer", minimum: 0 } },
    { name: "open", in: "query", required: false, schema: { type: "boolean" } },
    { name: "tags", in: "query", required: false, schema: { type: "array", items: { type: "string" } } },
  ]);
  const post = paths["/api/v1/echo"]!.post as {
    requestBody: { required: boolean; content: Record<string, { schema: object }> };
    responses: object;
  };
  assert.equal(post.requestBody.required, true);
  assert.deepEqual(post.requestBody.content["application/json"]!.schema, {
    type: "object",
    required: ["id"],
    properties: {
      id: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}$" },
      lines: {
        type: "array",
        maxItems: 10,
        items: {
          type: "object",
          required: ["product", "quantity"],
          properties: { product: { type: "string", minLength: 1 }, quantity: { type: "string", pattern: "^\\d+$" } },
        },
      },
      any: { type: "object", properties: {} },
    },
  });
  assert.deepEqual(Object.keys(post.responses), ["201", "503", "4XX"]);
});

test("the pages of the API load nothing from elsewhere", async (t) => {
  const { url } = await serve(t, [echo()]);
  for (const path of ["/", "/docs", "/docs/docs.js", "/docs/style.css", "/docs/errors"]) {
    const { status, text, headers } = await ask(url + path);
    assert.equal(status, 200, path);
    assert.doesNotMatch(text, /(src|href|import|url)\s*[=(]?\s*["'(]?https?:/i, path);
    assert.match(String(headers["content-security-policy"]), /^default-src 'none'/);
  }
  assert.match((await ask(url)).text, /<a href="\/docs#echo">echo<\/a>/);
  assert.match((await ask(`${url}/docs/errors`)).text, /<tr id="RATE_LIMITED">/);
});

test("docs/errors.md lists the codes that the source uses, and no others", () => {
  const page = readFileSync(join(HOUSE, "docs/errors.md"), "utf8");
  const listed = [...page.matchAll(/^\| `([A-Z_]+)` /gm)].map(([, code]) => code!);
  const used = readHouse()
    .filter(
      ({ path }) =>
        /^(services|mixins)\//.test(path) &&
        (!path.startsWith("mixins/runtime/") || path === "mixins/runtime/rooms.ts") &&
        !path.endsWith(".test.ts"),
    )
    .flatMap(({ text }) => [...text.matchAll(CODE)].map(([, code]) => code!));
  assert.deepEqual([...new Set(listed)].sort(), [...new Set(used)].sort());
  assert.equal(new Set(listed).size, listed.length, "a code is listed once");
});
