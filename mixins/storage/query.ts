import { Rejected } from "../core/errors.ts";
import { compareText, encode, isObject, leaves, type Value } from "./query.values.ts";

export type Document = { _id: string } & Record<string, unknown>;

/** A query as a room writes it, in MongoDB's words: see `parse`. */
export type Query = Record<string, unknown>;

/** One condition on one path; all of `conditions` and one of each of `anyOf` must hold. */
export type Condition = OneOf | Range | Exists;
type OneOf = { path: string; operator: "$in"; values: Value[]; negated: boolean };
export type Range = { path: string; operator: "$gt" | "$gte" | "$lt" | "$lte" | "$prefix"; value: string | number | boolean };
type Exists = { path: string; operator: "$exists"; value: boolean };

export interface Filter {
  readonly conditions: readonly Condition[];
  readonly anyOf: readonly (readonly Filter[])[];
}

const MAX_DEPTH = 10;
const MAX_VALUES = 1_000;

const refuse = (why: string): never => {
  throw new Rejected("QUERY_REFUSED", why, 400);
};

/**
 * Reads a query: equality (also with whole arrays and objects), `$ne $gt $gte $lt $lte $in $nin $exists $and $or` and
 * `$prefix` (texts that begin with a text), with MongoDB's meaning. What it does not understand it refuses
 * (`QUERY_REFUSED`) rather than answer something else: other operators, regular expressions, positions in arrays
 * (`tags.0`), and ranges over anything but texts, numbers and booleans.
 */
export const parse = (query: Query, depth = 0): Filter => {
  if (depth > MAX_DEPTH) refuse(`A query may be nested ${MAX_DEPTH} deep`);
  const conditions: Condition[] = [];
  const anyOf: Filter[][] = [];
  for (const [key, operand] of Object.entries(query)) {
    if (key === "$and" || key === "$or") {
      if (!Array.isArray(operand) || operand.length === 0 || !operand.every(isObject)) return refuse(`${key} takes a list of queries`);
      const parts = operand.map((part) => parse(part as Query, depth + 1));
      if (key === "$or") anyOf.push(parts);
      for (const part of key === "$and" ? parts : []) {
        conditions.push(...part.conditions);
        anyOf.push(...part.anyOf.map((options) => [...options]));
      }
    } else {
      conditions.push(...parseField(pathOf(key), operand));
    }
  }
  return { conditions, anyOf };
};

const pathOf = (key: string): string => {
  const broken = key.split(".").some((part) => part === "" || part.startsWith("$") || part === "__proto__" || /^\d+$/.test(part));
  return broken ? refuse(`A query cannot ask for ${JSON.stringify(key)}`) : key;
};

const parseField = (path: string, operand: unknown): Condition[] => {
  const keys = isObject(operand) ? Object.keys(operand) : [];
  if (!keys.some((key) => key.startsWith("$"))) return [{ path, operator: "$in", values: [jsonOf(operand)], negated: false }];
  return keys.map((key): Condition => {
    const value = (operand as Query)[key];
    switch (key) {
      case "$eq":
      case "$ne":
        return { path, operator: "$in", values: [jsonOf(value)], negated: key === "$ne" };
      case "$in":
      case "$nin":
        if (!Array.isArray(value) || value.length > MAX_VALUES) return refuse(`${key} takes a list of at most ${MAX_VALUES} values`);
        return { path, operator: "$in", values: value.map(jsonOf), negated: key === "$nin" };
      case "$exists":
        return { path, operator: key, value: typeof value === "boolean" ? value : refuse("$exists takes true or false") };
      case "$prefix":
        return { path, operator: key, value: typeof value === "string" && value.isWellFormed() ? value : refuse("$prefix takes a text") };
      case "$gt":
      case "$gte":
      case "$lt":
      case "$lte":
        if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) {
          return { path, operator: key, value: value as string | number | boolean };
        }
        return refuse(`${key} takes a text, a number or a boolean`);
      default:
        return refuse(`A query cannot use ${key}`);
    }
  });
};

/** JSON, and nothing else: a Date or a RegExp would be stored as something else than it is compared with. */
const jsonOf = (value: unknown): Value => {
  if (value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return value as Value;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (!isObject(value)) return refuse("A query compares with JSON values only");
  for (const [key, part] of Object.entries(value))
    if (key.startsWith("$")) refuse(`A query cannot use ${key} there`);
    else jsonOf(part);
  return value as Value;
};

/** Whether a document is what the filter asks for, as MongoDB would say. */
export const matches = (filter: Filter, document: Document): boolean =>
  filter.conditions.every((condition) => holds(condition, document)) &&
  filter.anyOf.every((options) => options.some((option) => matches(option, document)));

const holds = (condition: Condition, document: Document): boolean => {
  const { values, whole } = leaves(document, condition.path);
  if (condition.operator === "$exists") return (whole.length > 0 || values.some((value) => value !== undefined)) === condition.value;
  if (condition.operator === "$in") {
    const found = condition.values.some((value) => values.some((v) => same(v, value)) || whole.some((v) => same(v, value)));
    return found !== condition.negated;
  }
  return values.some((value) => typeof value === typeof condition.value && inRange(condition, value as string | number | boolean));
};

/** Null is what is missing, too; objects are the same only in the same order of fields. */
const same = (a: Value | undefined, b: Value): boolean => {
  if (a === b || (b === null && a === undefined)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  return encode(a) === encode(b);
};

const inRange = ({ operator, value: bound }: Range, value: string | number | boolean): boolean => {
  if (operator === "$prefix") return (value as string).startsWith(bound as string);
  const order = typeof value === "string" ? compareText(value, bound as string) : Number(value) - Number(bound);
  return operator === "$gt" ? order > 0 : operator === "$gte" ? order >= 0 : operator === "$lt" ? order < 0 : order <= 0;
};
