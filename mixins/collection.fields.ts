import Validator from "fastest-validator";
import { Errors } from "moleculer";

/** fastest-validator rules by field, in their short or long form. */
export type Rules = Readonly<Record<string, unknown>>;

/** Of a document that was erased: when. */
export const ERASED_AT = { erasedAt: { type: "string", max: 40, optional: true } } as const;

type LongRule = Record<string, unknown> & { items?: unknown; props?: Rules };

/** An object takes only the fields that it declares, also deep inside; the others are dropped. One that declares none is free. */
export const strict = (rules: Rules): Rules => mapRules(rules, tighten);

const tighten = (rule: unknown): unknown => {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) return rule;
  const { items, props, ...rest } = rule as LongRule;
  return { ...rest, ...(items ? { items: tighten(items) } : {}), ...(props ? { props: strict(props), strict: "remove" } : {}) };
};

/** The rules of a change: what it does not name stays, and null takes an optional field away. */
export const partial = (rules: Rules): Rules =>
  mapRules(rules, (rule) => {
    if (typeof rule === "string") return `${rule.replace(/\|(optional|default:[^|]*)/g, "")}|optional|nullable`;
    const { default: _, ...rest } = rule as LongRule;
    return { ...rest, optional: true, nullable: true };
  });

/** The rules of an answer: nothing is filled in, and what has a default may be missing in what was stored before it had; what is `sealed` may be erased. */
export const answered = (rules: Rules, sealed: readonly string[] = []): Rules => {
  const nullable = Object.fromEntries(sealed.map((name) => [name, { ...(answers(rules)[name] as LongRule), nullable: true }]));
  return { ...answers(rules), ...nullable };
};

const answers = (rules: Rules): Rules =>
  mapRules(rules, (rule) => {
    if (typeof rule === "string") return rule.includes("|default:") ? `${rule.replace(/\|default:[^|]*/, "")}|optional` : rule;
    const { default: value, ...rest } = rule as LongRule;
    return value === undefined ? rest : { ...rest, optional: true };
  });

/** The rule of a filter: of a list of values each is one to filter by. */
export const filterRule = (rule: unknown): unknown => {
  if (typeof rule === "string") return `${rule.replace(/\|(optional|default:[^|]*)/g, "")}|optional`;
  const { items, default: _, ...rest } = rule as LongRule;
  return items ? filterRule(items) : { ...rest, optional: true };
};

/** Checks a whole document, fills in defaults and drops what is unknown deep inside. Throws moleculer's `VALIDATION_ERROR` (422). */
export const checker = (rules: Rules): ((document: Record<string, unknown>) => void) => {
  const check = new (Validator as unknown as new () => { compile(rules: unknown): (value: unknown) => true | object[] })().compile(
    strict(rules),
  );
  return (document) => {
    const result = check(document);
    if (result !== true) throw new Errors.ValidationError("Parameters validation error!", "VALIDATION_ERROR", result);
  };
};

const MAX_FOLDED = 100; // so that a page's cursor fits into an address

/** How texts are searched and sorted: by their first 100 characters, without regard to case, `ﬁ` like `fi`. */
export const fold = (text: string): string => text.normalize("NFKC").toLowerCase().slice(0, MAX_FOLDED).toWellFormed();

const mapRules = (rules: Rules, change: (rule: unknown) => unknown): Rules =>
  Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, name.startsWith("$$") ? rule : change(rule)]));
