import { ANYONE } from "../../mixins/core/policy.ts";
import type { PublishedAction, Route } from "./router.ts";
import { type JsonSchema, objectOf, schemaOf } from "./schema.ts";

const ref = (name: string) => ({ $ref: `#/components/${name}` });
const problem = {
  description: "What is wrong, and what would be right",
  content: { "application/problem+json": { schema: ref("schemas/Problem") } },
};
const header = (description: string, schema: JsonSchema = { type: "string" }) => ({ description, schema });

/** The API as OpenAPI 3.1, from what its actions declare: `params` is the request, `returns` the answer. */
export const openApiOf = (routes: readonly Route[]): JsonSchema => {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  const ids = new Set<string>();
  const actions = routes.filter((route) => route.action).sort((a, b) => a.path.localeCompare(b.path));
  for (const route of actions) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, ids);
  }
  return { openapi: "3.1.0", info, servers: [{ url: "/" }], tags: tagsOf(actions), paths, components };
};

const info = {
  title: "Banyan",
  version: "1.0.0",
  description:
    "A trading back end: customers, products, stock, deals and their figures. Errors are application/problem+json; /docs/errors lists their codes.",
  license: { name: "MIT", identifier: "MIT" },
};

const roomOf = (route: Route) => route.action?.name.split(".")[1] ?? "";
const tagsOf = (routes: readonly Route[]) => [...new Set(routes.map(roomOf))].map((name) => ({ name }));

const operationOf = (route: Route, ids: Set<string>): JsonSchema => {
  const action = route.action!;
  const name = action.name.split(".").slice(1).join(".");
  const id = ids.has(name) ? `${name}.${route.method.toLowerCase()}` : name;
  ids.add(id);
  const fields = Object.entries(action.params ?? {}).filter(([field]) => !field.startsWith("$$"));
  const inPath = new Set(route.names);
  const elsewhere = Object.fromEntries(fields.filter(([field]) => !inPath.has(field)));
  const body = route.takesBody && Object.keys(elsewhere).length > 0 ? objectOf(elsewhere) : undefined;
  return {
    operationId: id,
    tags: [roomOf(route)],
    summary: action.description ?? name,
    parameters: [
      ...route.names.map((field) => ({ name: field, in: "path", required: true, schema: schemaOf(route.rules[field] ?? "string") })),
      ...(route.takesBody ? [] : queryOf(elsewhere, route)),
      ...conditionsOf(route),
    ],
    ...(body && { requestBody: { required: "required" in body, content: { "application/json": { schema: body } } } }),
    ...securityOf(action),
    responses: {
      [route.http.status ?? 200]: answerOf(route),
      ...(route.method === "GET" && notModified),
      ...(needsLogin(action) && { "401": { ...problem, description: "Nobody is logged in" } }),
      ...(needsLogin(action) && { "403": { ...problem, description: `The permission ${action.permission} is missing` } }),
      "4XX": problem,
      "503": problem,
    },
  };
};

const needsLogin = ({ permission }: PublishedAction) => permission !== ANYONE;

const securityOf = (action: PublishedAction) =>
  needsLogin(action) ? { security: [{ accessToken: [] }], "x-permission": action.permission } : {};

const queryOf = (fields: Record<string, unknown>, { rules }: Route) =>
  Object.entries(fields).map(([name, rule]) => ({
    name,
    in: "query",
    required: !rules[name]?.optional && rules[name]?.default === undefined,
    schema: schemaOf(rule),
  }));

const conditionsOf = ({ method, http }: Route) => {
  if (method === "GET") return [ref("parameters/IfNoneMatch")];
  return [ref("parameters/IdempotencyKey"), ref(http.ifMatch === "required" ? "parameters/VersionRequired" : "parameters/IfMatch")];
};

const answerOf = ({ action, http }: Route) => ({
  description: http.status === 201 ? "Created" : "Done",
  headers: { ETag: ref("headers/ETag"), ...(http.location && { Location: ref("headers/Location") }) },
  content: {
    "application/json": { schema: objectOf(action!.returns ?? {}) },
    ...(http.csv && { "text/csv": { schema: { type: "string" } } }),
  },
});

const notModified = { "304": { description: "What If-None-Match names is what it still is" } };

const text = { type: "string" };
const tag = { type: "string", examples: ['"3"'] };

const components = {
  securitySchemes: { accessToken: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
  schemas: {
    Problem: {
      type: "object",
      description: "An error (RFC 9457)",
      required: ["type", "title", "status", "code", "detail", "requestId"],
      properties: {
        type: { ...text, format: "uri-reference" },
        title: text,
        status: { type: "integer", minimum: 400, maximum: 599 },
        code: { ...text, pattern: "^[A-Z][A-Z0-9_]+$" },
        detail: text,
        errors: {
          type: "array",
          items: {
            type: "object",
            required: ["field", "rule", "message"],
            properties: { field: text, rule: text, expected: text, message: text },
          },
        },
        data: { description: "Facts about the refusal" },
        requestId: text,
      },
    },
  },
  parameters: {
    IdempotencyKey: {
      name: "Idempotency-Key",
      in: "header",
      description: "The same key with the same request is done once, however often it comes",
      schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[\\x20-\\x7e]+$" },
    },
    IfMatch: { name: "If-Match", in: "header", description: "The version that this is meant for, by its ETag", schema: tag },
    VersionRequired: {
      name: "If-Match",
      in: "header",
      required: true,
      description: "The version that this is meant for, by its ETag",
      schema: tag,
    },
    IfNoneMatch: { name: "If-None-Match", in: "header", description: "The ETag of what the caller has", schema: tag },
  },
  headers: {
    ETag: header("The version of what is answered"),
    Location: header("Where what was created is", { type: "string", format: "uri-reference" }),
  },
};
