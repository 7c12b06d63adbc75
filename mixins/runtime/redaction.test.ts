import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../test/support/system.ts";
import { isSecretName, redacted, SECRET_WORDS } from "./redaction.ts";

const SECRET = "never-to-be-read";
const forms = (word: string) => [
  word,
  `${word}s`,
  word.toUpperCase(),
  `access${word[0]!.toUpperCase()}${word.slice(1)}`,
  `x-${word}-id`,
  `${word}_FILE`,
  `_${word}`,
];

test("what stands under a secret's name, in whatever form and however deep, is in no line of the log", async () => {
  const names = [...SECRET_WORDS].flatMap(forms);
  assert.ok(names.length > 100);
  const log = [
    'import { log } from "./mixins/runtime/logger.ts";',
    `const names = ${JSON.stringify(names)};`,
    `const secret = ${JSON.stringify(SECRET)};`,
    "const part = Object.fromEntries(names.map((name) => [name, secret]));",
    "const lists = Object.fromEntries(names.map((name) => [name, [secret, { a: secret }]]));",
    "const error = Object.assign(new Error('failed', { cause: Object.assign(new Error('why'), { data: part }) }), { data: { deep: [part] }, ...part });",
    "log.error({ event: 'told', ...part, deep: { deeper: [lists] } });",
    "log.error({ event: 'failed', err: error });",
    "log.error(error);",
    "log.child({ room: 'tested' }).error({ event: 'child', params: part, map: { toJSON: () => part } }, 'told');",
    "log.error({ event: 'kept', field: 'to be read', keys: 3, secondFactor: true, monkey: 'to be read too' });",
  ].join("\n");
  const { code, stdout, stderr } = await run(["--input-type=module", "-e", log]);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.length < 60_000, "what a pipe takes at once: whoever ends waits for no reader");
  const lines = stdout.trim().split("\n");
  assert.equal(lines.length, 5);
  assert.ok(
    lines.slice(0, 4).every((line) => names.every((name) => line.includes(JSON.stringify(name)))),
    "each name was there",
  );
  assert.deepEqual(
    lines.filter((line) => line.includes(SECRET)),
    [],
  );
  const { time, ...kept } = JSON.parse(lines.at(-1)!);
  assert.deepEqual(kept, { level: 50, event: "kept", field: "to be read", keys: 3, secondFactor: true, monkey: "to be read too" });
});

test("names are read by their words", () => {
  for (const name of ["apiKey", "APIKey", "api_key", "Set-Cookie", "passwords", "refreshTokenHash", "taxId"])
    assert.equal(isSecretName(name), true, name);
  for (const name of ["monkey", "tokenize", "keyboard", "event", "author", "taxi"]) assert.equal(isSecretName(name), false, name);
});

test("what is too deep, too much or in a circle is left out, and costs no more than so much", () => {
  const circle: Record<string, unknown> = { name: "round" };
  circle.self = circle;
  assert.match(JSON.stringify(redacted(circle)), /round.*hidden/);
  const many = redacted({ items: Array.from({ length: 100_000 }, (_, n) => ({ n })) }) as { items: unknown[] };
  assert.equal(many.items.filter((item) => item !== "[hidden]").length < 1_000, true);
});
