import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { hostile, type Schema, spoiled, valid } from "../support/generated.ts";
import { type Answer, ask } from "../support/http.ts";
import { folder, HOUSE, startSystem } from "../support/system.ts";

interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  schema: Schema;
}
interface Media {
  content?: Record<string, { schema: Schema }>;
}
interface Operation {
  operationId: string;
  parameters: (Parameter | { $ref: string })[];
  requestBody?: Media;
  responses: Record<string, Media>;
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: { Problem: Schema } };
}
interface Sent {
  url: string;
  method: string;
  headers: Record<string, string>;
  body?: string;
}

const SEED = Number(process.argv.find((arg) => arg.startsWith("--seed="))?.slice(7) ?? 20_111_209);
const RUNS = 25;
const errorsPage = readFileSync(join(HOUSE, "docs/errors.md"), "utf8");
const ajv = new Ajv2020({ strict: false, validateFormats: false });

/** The answer and its items have the fields that are named, and no others; what they hold in turn may have more. */
const closed = (schema: Schema, depth = 0): Schema => {
  const { properties = {}, items } = schema;
  if (depth > 2) return schema;
  const parts = Object.entries(properties).map(([name, part]) => [
    name,
    name === "items" || part.type === "array" ? closed(part, depth + 1) : part,
  ]);
  return {
    ...schema,
    ...(items && { items: depth === 1 ? closed(items, depth + 1) : items }),
    ...(parts.length > 0 && { properties: Object.fromEntries(parts), additionalProperties: depth > 2 }),
  };
};

const asText = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
const encoded = (value: unknown) => encodeURIComponent(asText(value).toWellFormed());

/** Requests for an operation: good ones, or ones that have something wrong somewhere. */
const requests = (base: string, path: string, method: string, operation: Operation, bad: boolean): fc.Arbitrary<Sent> => {
  const named = operation.parameters.filter((part): part is Parameter => "name" in part);
  const arbitraryOf = ({ name, schema }: Parameter) => {
    if (name === "seen") return fc.constant(bad ? "no@thing" : undefined); // a good one may wait for what never comes
    return bad ? fc.oneof({ weight: 3, arbitrary: valid(schema) }, { weight: 1, arbitrary: hostile }) : valid(schema);
  };
  const parameters = fc.tuple(
    ...named.map((part) => (part.required ? arbitraryOf(part) : fc.option(arbitraryOf(part), { nil: undefined }))),
  );
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema ? (bad ? spoiled(schema) : valid(schema)) : fc.constant(undefined);
  const headers = fc.record(
    {
      "If-Match": bad ? fc.constantFrom('"1"', "1", "W/", '"x"') : fc.constantFrom('"1"', "*"),
      "Idempotency-Key": fc.stringMatching(/^[!-~]{1,20}$/),
      Accept: fc.constantFrom("text/csv", "*/*"),
    },
    { requiredKeys: [] },
  );
  return fc.tuple(parameters, body, headers).map(([values, body, headers]) => {
    const given = named.map((part, i) => ({ ...part, value: values[i] }));
    const filled = given
      .filter((part) => part.in === "path")
      .reduce((at, { name, value }) => at.replace(`{${name}}`, encoded(value) || "%20"), path);
    const query = given
      .filter((part) => part.in === "query" && part.value !== undefined)
      .flatMap(({ name, value }) => (Array.isArray(value) ? value : [value]).map((item) => `${name}=${encoded(item)}`));
    return {
      url: base + filled + (query.length > 0 ? `?${query.join("&")}` : ""),
      method,
      headers: { ...headers, ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
  });
};

/** What makes things goes first, what removes them last, so that there is something to meet. */
const turn = ({ path, method }: { path: string; method: string }) =>
  method === "DELETE" ? 2 : method === "POST" && !path.includes("{") ? 0 : 1;

test("whatever is asked of whichever endpoint, the answer is one that its description promises", async (t) => {
  const system = await startSystem(t, { DATA_DIR: folder(t), RATE_LIMIT: "0" });
  const failures: string[] = [];
  system.process.stdout!.setEncoding("utf8").on("data", (text: string) => {
    failures.push(...text.split("\n").filter((line) => line.includes('"event":"request-failed"')));
  });
  const { json } = await ask(`${system.url}/openapi.json`);
  const { paths, components } = json as unknown as Document;
  const isProblem = ajv.compile(components.schemas.Problem);

  const judge = (operation: Operation) => {
    const [status, good] = Object.entries(operation.responses).find(([status]) => status.startsWith("2"))!;
    const schema = good.content?.["application/json"]?.schema;
    const fits = schema ? ajv.compile(closed(schema)) : () => true;
    return (answer: Answer) => {
      if (answer.status < 400) {
        assert.equal(answer.status, Number(status));
        const [type = ""] = (answer.headers["content-type"] ?? "").split(";");
        assert.ok(answer.status === 204 || good.content?.[type], `${type} is not promised`);
        if (type === "text/csv") return;
        assert.ok(
          fits(answer.json),
          `${answer.text.slice(0, 500)}\nis not what is promised: ${ajv.errorsText((fits as { errors?: null }).errors)}`,
        );
      } else {
        assert.ok(answer.status < 500 || answer.status === 503, `${answer.status} ${answer.text} ${failures.at(-1) ?? ""}`);
        assert.ok(isProblem(answer.json), answer.text);
        assert.ok(errorsPage.includes(`\`${answer.json.code}\``), `${answer.json.code} is not in docs/errors.md`);
      }
    };
  };

  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const unmet = new Set(operations.map(({ operation }) => operation.operationId));
  for (const { path, method, operation } of operations.sort((a, b) => turn(a) - turn(b))) {
    const check = judge(operation);
    for (const bad of [false, true]) {
      await t.test(`${operation.operationId}, ${bad ? "asked badly" : "asked well"}`, async () => {
        const property = fc.asyncProperty(requests(system.url, path, method, operation, bad), async (sent) => {
          const answer = await ask(sent.url, sent);
          if (answer.status < 300) unmet.delete(operation.operationId);
          check(answer);
        });
        await fc.assert(property, {
          seed: SEED,
          numRuns: RUNS,
          interruptAfterTimeLimit: 15_000,
          markInterruptAsFailure: true,
          endOnFailure: true,
        });
      });
    }
  }
  t.diagnostic(`never answered well: ${[...unmet].join(", ") || "none"}`);
  assert.deepEqual(failures, []);
});
