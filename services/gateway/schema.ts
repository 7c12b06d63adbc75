import { type Rule, ruleOf, rulesOf } from "./rules.ts";

export type JsonSchema = { [key: string]: unknown };

const FORMATS: Record<string, string> = { email: "email", uuid: "uuid", url: "uri", date: "date-time" };

/** A rule of fastest-validator as JSON Schema 2020-12: what either says of a value, the other says too. */
export const schemaOf = (declared: unknown): JsonSchema => {
  const rule = ruleOf(declared);
  const schema: JsonSchema = { ...bareSchema(rule) };
  if (rule.desc) schema.description = rule.desc;
  if (rule.default !== undefined) schema.default = rule.default;
  if (!rule.nullable) return schema;
  if (typeof schema.type === "string" && schema.enum === undefined) return { ...schema, type: [schema.type, "null"] };
  return Object.keys(schema).length > 0 ? { anyOf: [schema, { type: "null" }] } : schema;
};

/** The object whose fields have these rules. What no rule names is let through, or dropped, but never refused. */
export const objectOf = (declared: object): JsonSchema => {
  const rules = Object.entries(rulesOf(declared));
  const required = rules.filter(([, rule]) => !rule.optional && rule.default === undefined).map(([name]) => name);
  const properties = Object.fromEntries(rules.map(([name, rule]) => [name, schemaOf(rule)]));
  return { type: "object", properties, ...(required.length > 0 && { required }) };
};

const bareSchema = (rule: Rule): JsonSchema => {
  switch (rule.type) {
    case "string":
      return stringOf(rule);
    case "number":
      return numberOf(rule);
    case "boolean":
      return { type: "boolean" };
    case "array":
      return arrayOf(rule);
    case "object":
      return objectOf(rule.props ?? rule.properties ?? {});
    case "record":
      return { type: "object", ...(rule.value !== undefined && { additionalProperties: schemaOf(rule.value) }) };
    case "enum":
      return { enum: rule.values ?? [] };
    case "equal":
      return { const: rule.value };
    case "multi":
      return { anyOf: (rule.rules ?? []).map(schemaOf) };
    default:
      return FORMATS[rule.type] ? { type: "string", format: FORMATS[rule.type] } : {};
  }
};

const stringOf = ({ min, max, length, pattern, empty, enum: values }: Rule): JsonSchema => ({
  type: "string",
  ...given("minLength", length ?? min ?? (empty === false ? 1 : undefined)),
  ...given("maxLength", length ?? max),
  ...given("pattern", typeof pattern === "string" ? pattern : pattern?.source),
  ...given("enum", values),
});

const numberOf = ({ integer, min, max, positive, negative, equal }: Rule): JsonSchema => ({
  type: integer ? "integer" : "number",
  ...given("minimum", min),
  ...given("maximum", max),
  ...given("exclusiveMinimum", positive ? 0 : undefined),
  ...given("exclusiveMaximum", negative ? 0 : undefined),
  ...given("const", equal),
});

const arrayOf = ({ items, min, max, length, unique, enum: values }: Rule): JsonSchema => ({
  type: "array",
  ...(items !== undefined && { items: schemaOf(items) }),
  ...(items === undefined && values && { items: { enum: values } }),
  ...given("minItems", length ?? min),
  ...given("maxItems", length ?? max),
  ...given("uniqueItems", unique || undefined),
});

const given = (name: string, value: unknown): JsonSchema => (value === undefined ? {} : { [name]: value });
