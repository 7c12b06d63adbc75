import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ServiceSchema } from "moleculer";
import { actionFaults, eventTypes, rules } from "./support/house-rules.ts";
import { readHouse, source } from "./support/source.ts";
import { folder, HOUSE } from "./support/system.ts";

const house = readHouse();

for (const [rule, broken] of Object.entries(rules)) {
  test(rule, () => assert.deepEqual(broken(house), []));
}

/** For each rule, what must not pass: a checker that finds nothing here would find nothing anywhere. */
const bad: Record<keyof typeof rules, [path: string, text: string][]> = {
  "a domain knows its own events and mixins/core, no clock and no chance": [
    ["services/deals/deals.domain.ts", 'import { Errors } from "moleculer";'],
    ["services/deals/deals.domain.ts", 'import type { Lot } from "../inventory/inventory.events.ts";'],
    ["services/deals/deals.domain.ts", "const now = Date.now();"],
    ["services/deals/deals.domain.ts", "const today = new Date();"],
    ["services/deals/deals.domain.ts", "const lucky = Math.random() > 0.5;"],
  ],
  "a room knows of another room only the types of its events": [
    ["services/deals/deals.service.ts", 'import { stock } from "../inventory/inventory.events.ts";'],
    ["services/deals/deals.service.ts", 'import type { Stock } from "../inventory/inventory.domain.ts";'],
    ["services/deals/deals.service.ts", 'const inventory = await import("../inventory/inventory.events.ts");'],
    ["services/deals/deals.service.ts", 'export { stock } from "../inventory/inventory.domain.ts";'],
    ["services/deals/deals.service.ts", 'import {\n  type A,\n  b,\n} from "../inventory/inventory.events.ts";'],
  ],
  "mixins know no room, and only storage and bus know a driver": [
    ["mixins/actor.mixin.ts", 'import type { DealEvent } from "../services/deals/deals.events.ts";'],
    ["mixins/runtime/node.ts", 'import { DatabaseSync } from "node:sqlite";'],
    ["services/deals/deals.views.ts", 'import { connect } from "nats";'],
  ],
  "the core is pure": [
    ["mixins/core/ids.ts", 'import { randomUUID } from "node:crypto";'],
    ["mixins/core/ids.ts", 'import { config } from "../runtime/config.ts";'],
  ],
  "nothing but tests imports from test": [
    ["mixins/actor.mixin.ts", 'import { folder } from "../test/support/system.ts";'],
    ["mixins/actor.mixin.ts", 'import { startServer } from "../test/servers/start.ts";'],
    ["bench/server.ts", 'import { folder } from "../test/support/system.ts";'],
  ],
  "every thing has a name of its own: no barrels, utils, I… or …Impl": [
    ["mixins/core/all.ts", 'export * from "./ids.ts";'],
    ["mixins/index.ts", ""],
    ["mixins/utils/text.ts", ""],
    ["mixins/core/string-utils.ts", ""],
    ["mixins/actorMixin.ts", ""],
    ["mixins/storage/event-store.ts", "interface IStore {}"],
    ["mixins/storage/event-store.ts", "class StoreImpl {}"],
  ],
  "only config.ts reads the environment": [["start.ts", "const port = process.env.PORT;"]],
  "no file is longer than 300 lines, no service than 200": [
    ["mixins/actor.mixin.ts", "\n".repeat(301)],
    ["services/deals/deals.service.ts", "\n".repeat(201)],
  ],
  "nothing is of type any": [
    ["mixins/a.ts", "const a: any = 1;"],
    ["mixins/a.ts", "const a = b as any;"],
    ["mixins/a.ts", "const a = new Map<string, any>();"],
  ],
};

test("each rule finds what breaks it", () => {
  assert.deepEqual(Object.keys(bad), Object.keys(rules));
  for (const [rule, examples] of Object.entries(bad)) {
    for (const [path, text] of examples)
      assert.notDeepEqual(rules[rule]!([source(path, text)]), [], `${rule}: ${path}: ${text.slice(0, 80)}`);
  }
});

test("what a domain is made of is as pure as the domain", () => {
  const [domain, part] = [
    source("services/a/a.domain.ts", 'import { lots } from "./a.lots.ts";'),
    source("services/a/a.lots.ts", "Math.random()"),
  ];
  assert.deepEqual(rules["a domain knows its own events and mixins/core, no clock and no chance"]!([domain, part]).length, 1);
});

test("a rule is not broken by a comment or a text that only speaks of it", () => {
  const innocent = source(
    "services/deals/deals.domain.ts",
    '// never Date.now()\n/* export * */\nconst text = "process.env: any, Math.random()";\n',
  );
  for (const broken of Object.values(rules)) assert.deepEqual(broken([innocent]), []);
});

test("the lock names the packages of every platform, for npm ci refuses one that does not", () => {
  const { packages } = JSON.parse(readFileSync(join(HOUSE, "package-lock.json"), "utf8")) as {
    packages: Record<string, { optionalDependencies?: object }>;
  };
  const wanted = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}));
  const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)));
  assert.deepEqual(
    wanted.filter((name) => !locked.has(name)),
    [],
  );
});

test("no page holds the marks of a merge that was left half done", () => {
  const pages = globSync(["*.{md,yml,conf,json}", "Dockerfile", "{docs,bench,k8s,k8s.tls}/**/*.{md,yaml,yml,json}"], {
    cwd: HOUSE,
    exclude: ["**/node_modules/**"],
  });
  assert.ok(pages.length > 20);
  assert.deepEqual(
    pages.filter((page) => /^(<<<<<<<|>>>>>>>) /m.test(readFileSync(join(HOUSE, page), "utf8"))),
    [],
  );
});

/** The schemas as Moleculer has them, with what the mixins added. */
const schemas = async (data: string): Promise<{ name: string; schema: ServiceSchema }[]> => {
  process.env.DATA_DIR = data;
  process.env.PORT = "0";
  const { startNode } = await import("../mixins/runtime/node.ts");
  const node = await startNode({ quiet: true });
  const found = node.broker.services.filter(({ name }) => !name.startsWith("$")).map(({ name, schema }) => ({ name, schema }));
  await node.stop();
  return found;
};

test("every action says what it takes, what it answers and who may call it", async (t) => {
  const found = await schemas(folder(t));
  assert.ok(found.length > 1);
  const rooms = found.filter(({ name }) => name !== "gateway"); // its actions are moleculer-web's, and lead nowhere
  assert.deepEqual(
    rooms.flatMap(({ name, schema }) => actionFaults(name, schema.actions)),
    [],
  );
  const published = rooms.filter(({ schema }) =>
    Object.values(schema.actions ?? {}).some((action) => Object(action).visibility === "published"),
  );
  const pages = readFileSync(join(HOUSE, "README.md"), "utf8") + readPage("api.md");
  assert.deepEqual(
    published.map(({ name }) => name).filter((name) => !pages.includes(`/api/v1/${name}`)),
    [],
    "README.md or docs/api.md names every room that has something to offer",
  );
});

test("an action that says too little is found", () => {
  const whole = { params: {}, returns: {}, visibility: "published", permission: "deals.read", rest: "GET /" } as const;
  assert.deepEqual(actionFaults("deals", { get: whole }), []);
  for (const [lacking, reason] of [
    [{ ...whole, params: undefined }, /no params/],
    [{ ...whole, permission: undefined }, /who may call it/],
    [{ ...whole, returns: undefined }, /no returns/],
    [{ ...whole, visibility: undefined }, /no explicit visibility/],
    [{ ...whole, rest: undefined }, /no path/],
    [{ ...whole, visibility: "public" }, /not published/],
    [() => {}, /no declaration/],
  ] as [never, RegExp][]) {
    assert.match(actionFaults("deals", { get: lacking }).join(), reason);
  }
});

test("every type of event is explained in docs/events.md", () => {
  const page = readPage("events.md");
  const types = house.filter(({ path }) => path.endsWith(".events.ts")).flatMap(eventTypes);
  assert.ok(types.includes("DealConfirmed"));
  assert.deepEqual(
    types.filter((type) => !page.includes(`\`${type}\``)),
    [],
  );
});

const readPage = (name: string): string => {
  const path = join(HOUSE, "docs", name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
};
