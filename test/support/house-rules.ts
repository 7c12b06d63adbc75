import type { ServiceSchema } from "moleculer";
import type { Source } from "./source.ts";

/** What breaks a rule, each as `path: why`. */
type Rule = (files: Source[]) => string[];

const DRIVERS = /^(node:sqlite|better-sqlite3|libsql|mongodb|mongoose|ioredis|redis|nats|@nats-io\/.*|amqplib|kafkajs)$/;
const PURE = /^(moleculer|big\.js|fastest-validator)$/;
const IMPURE = /\b(Date\.now|new Date\(\s*\)|Math\.random|randomUUID|Temporal\.Now|performance\.|process\.|setTimeout|setInterval|await)/;

const room = (path: string) => /^services\/([^/]+)\//.exec(path)?.[1];
const isTest = (path: string) => path.startsWith("test/") || path.endsWith(".test.ts");

const each =
  (why: (file: Source) => (string | false | undefined)[]): Rule =>
  (files) =>
    files.flatMap((file) =>
      why(file)
        .filter(Boolean)
        .map((reason) => `${file.path}: ${reason}`),
    );

/** The domains, and what of their own rooms they are made of: a long one has several files, all of them as pure. */
const domains = (files: Source[]): Source[] => {
  const found = new Set(files.filter(({ path }) => path.endsWith(".domain.ts")));
  for (const { path, imports } of found) {
    for (const { to } of imports) {
      const part = files.find((file) => file.path === to);
      if (part && room(to) === room(path)) found.add(part);
    }
  }
  return [...found];
};

/** The rules of the house that can be read from its source (ARCHITECTURE.md, "Rules of the house"). */
export const rules: Record<string, Rule> = {
  "a domain knows its own events and mixins/core, no clock and no chance": (files) =>
    each(({ code, path, imports }) => [
      ...imports.filter(({ to }) => !to.startsWith("mixins/core/") && room(to) !== room(path)).map(({ to }) => `a domain imports ${to}`),
      IMPURE.test(code) && `a domain uses ${IMPURE.exec(code)![0]}`,
    ])(domains(files)),

  "a room knows of another room only the types of its events": each(({ path, imports }) =>
    imports
      .filter(({ to }) => room(path) && room(to) && room(to) !== room(path))
      .filter(({ to, typeOnly }) => !typeOnly || !to.endsWith(".events.ts"))
      .map(({ to }) => `a room imports ${to}`),
  ),

  "mixins know no room, and only storage and bus know a driver": each(({ path, imports }) => [
    ...imports
      .filter(({ to }) => path.startsWith("mixins/") && !isTest(path) && to.startsWith("services/"))
      .map(({ to }) => `a mixin imports ${to}`),
    ...imports
      .filter(({ to }) => DRIVERS.test(to) && /^(mixins|services)\//.test(path) && !/^mixins\/(storage|bus)\//.test(path) && !isTest(path))
      .map(({ to }) => `imports the driver ${to}`),
  ]),

  "the core is pure": each(({ path, imports }) =>
    path.startsWith("mixins/core/") && !isTest(path)
      ? imports.filter(({ to }) => !to.startsWith("mixins/core/") && !PURE.test(to)).map(({ to }) => `the core imports ${to}`)
      : [],
  ),

  "nothing but tests imports from test": each(({ path, imports }) =>
    isTest(path)
      ? []
      : imports
          .filter(({ to }) => to.startsWith("test/") || to.endsWith(".test.ts"))
          .filter(({ to }) => !(path.startsWith("bench/") && to.startsWith("test/servers/"))) // it measures on the servers that tests run on
          .map(({ to }) => `imports ${to}`),
  ),

  "every thing has a name of its own: no barrels, utils, I… or …Impl": each(({ path, code }) => [
    /\bexport\s*(type\s*)?\*/.test(code) && "is a barrel",
    /(^|\/)index\.ts$/.test(path) && "is an index",
    /(^|[/.-])(utils?|helpers?|common|misc)([/.-])/.test(path) && "is named after nothing",
    !/^[a-z0-9/.-]+$/.test(path) && "has a name that is not in small letters",
    /\b(?:interface|type|class)\s+I[A-Z][a-z]/.test(code) && "has a name that begins with I",
    /\b(?:interface|type|class|const)\s+\w+Impl\b/.test(code) && "has a name that ends in Impl",
  ]),

  "only config.ts reads the environment": each(({ path, code }) => [
    /\bprocess\.env\b/.test(code) &&
      /^(mixins|services|start|moleculer)/.test(path) &&
      !isTest(path) &&
      path !== "mixins/runtime/config.ts" &&
      "reads process.env",
  ]),

  "no file is longer than 300 lines, no service than 200": each(({ path, text }) => {
    const lines = text.split("\n").length - 1;
    const most = path.endsWith(".service.ts") ? 200 : 300;
    return [lines > most && `has ${lines} lines, ${most} are the most`];
  }),

  "nothing is of type any": each(({ code }) => [/(?::|<|\bas|,|\||=)\s*any\b(?!\s*[:(.])/.test(code) && "uses any"]),
};

/** What an action lacks. Moleculer-web's own actions are private, and no part of the API. */
export const actionFaults = (service: string, actions: ServiceSchema["actions"]): string[] =>
  Object.entries(actions ?? {}).flatMap(([name, action]) => {
    const full = `${service}.${name}`;
    if (typeof action !== "object") return [`${full}: is no declaration`];
    const { params, returns, visibility, rest, permission } = action as Record<string, unknown>;
    return [
      !params && "has no params",
      !returns && "has no returns",
      !["published", "public", "protected"].includes(visibility as string) && "has no explicit visibility",
      visibility === "published" && !rest && "is published, and has no path",
      rest !== undefined && visibility !== "published" && "has a path, and is not published",
      visibility === "published" &&
        !/^(anyone|somebody|[a-z]+\.[a-z]+)$/.test(String(permission)) &&
        "is published, and says not who may call it",
      !/^[a-z]\w*(\.[a-z]\w*)*$/.test(name) && "has a name that is no verb in small letters",
    ]
      .filter(Boolean)
      .map((reason) => `${full}: ${reason}`);
  });

/** The types of events that a room's public face names. */
export const eventTypes = ({ code, text }: Source): string[] =>
  code.includes("type:") ? [...new Set([...text.matchAll(/\btype:\s*"([A-Z]\w+)"/g)].map(([, type]) => type!))] : [];
