import Validator from "fastest-validator";

/** A fastest-validator rule in its long form; what it says of a value is what the API promises. */
export interface Rule {
  type: string;
  optional?: boolean;
  nullable?: boolean;
  default?: unknown;
  items?: unknown;
  props?: Record<string, unknown>;
  properties?: Record<string, unknown>;
  rules?: unknown[];
  values?: unknown[];
  value?: unknown;
  key?: unknown;
  pattern?: string | RegExp;
  min?: number;
  max?: number;
  length?: number;
  enum?: unknown[];
  empty?: boolean;
  unique?: boolean;
  integer?: boolean;
  positive?: boolean;
  negative?: boolean;
  convert?: boolean;
  equal?: unknown;
  desc?: string;
}

/** Its types describe a default export inside of the module; there is none, the module is the class. */
const validator = new (Validator as unknown as new () => { getRuleFromSchema(rule: unknown): { schema: Rule } })();

/** The long form of a rule in any of its forms: `"number|min:1"`, `"string[]"`, `[…]` for either of several, `{ $$type: "object", … }`. */
export const ruleOf = (declared: unknown): Rule => {
  const copy = typeof declared === "object" && declared !== null && !Array.isArray(declared) ? { ...declared } : declared;
  return validator.getRuleFromSchema(copy).schema;
};

/** The rules of an action's `params` or `returns`, field by field. `$$strict` and its like are about the object, not fields of it. */
export const rulesOf = (declared: object | undefined): Record<string, Rule> =>
  Object.fromEntries(
    Object.entries(declared ?? {})
      .filter(([name]) => !name.startsWith("$$"))
      .map(([name, rule]) => [name, ruleOf(rule)]),
  );

const NUMBER = /^-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?$/;

/** What was meant by the text of a query or path; text that does not fit stays as it is, and the validation says what is wrong with it. */
export const fromText = (text: string | string[], rule: Rule): unknown => {
  if (rule.type === "array") return (Array.isArray(text) ? text : [text]).map((item) => fromText(item, ruleOf(rule.items)));
  if (rule.type === "multi") {
    const readings = (rule.rules ?? []).map((either) => fromText(text, ruleOf(either)));
    return readings.find((reading) => reading !== text) ?? text;
  }
  if (Array.isArray(text)) return text;
  if (rule.type === "number") return NUMBER.test(text) ? Number(text) : text;
  if (rule.type === "boolean") return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
  return text;
};
