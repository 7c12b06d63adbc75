import { Rejected } from "../../mixins/core/errors.ts";
import { forbiddenKey } from "./body.ts";
import { fromText, type Rule } from "./rules.ts";

const MOST = 100;

const decoded = (text: string): string => {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Rejected("MALFORMED_URL", "The address holds a percent sign that starts no UTF-8 character", 400);
  }
};

/** A segment of the path as the value that its rule means. */
export const fromSegment = (segment: string, rule: Rule | undefined): unknown => {
  const text = decoded(segment);
  return rule ? fromText(text, rule) : text;
};

/** Adds what the query says to `params`, as the values that the rules mean. A name that comes twice is a list, where a list is asked for. */
export const readQuery = (query: string, rules: Record<string, Rule>, params: Record<string, unknown>): void => {
  const given = new Map<string, string[]>();
  let count = 0;
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    if (++count > MOST) throw new Rejected("MALFORMED_URL", `The query has more than ${MOST} parameters`, 400);
    const equals = pair.indexOf("=");
    const name = spaced(equals < 0 ? pair : pair.slice(0, equals));
    if (forbiddenKey(name)) throw new Rejected("FORBIDDEN_KEY", `A parameter must not be named ${name}`, 400);
    const value = equals < 0 ? "" : spaced(pair.slice(equals + 1));
    const values = given.get(name);
    if (values) values.push(value);
    else given.set(name, [value]);
  }
  for (const [name, values] of given) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    const text = values.length === 1 ? values[0]! : values;
    params[name] = rule ? fromText(text, rule) : text;
  }
};

const spaced = (text: string) => decoded(text.includes("+") ? text.replaceAll("+", " ") : text);
