import type { Filter as MongoFilter } from "mongodb";
import { Rejected } from "../core/errors.ts";
import { type DocumentRow, escapeName, storable } from "./mongo.rows.ts";
import type { Sort } from "./query.plan.ts";
import type { Condition, Document, Filter } from "./query.ts";
import { encode, isObject, leaves, type Value } from "./query.values.ts";

type Part = MongoFilter<DocumentRow>;

/** A query that `parse` has understood, in MongoDB's own words. */
export const toMongo = ({ conditions, anyOf }: Filter): Part =>
  all([...conditions.map(conditionOf), ...anyOf.map((options) => ({ $or: options.map(toMongo) }) as Part)]);

/** All of these at once. */
export const all = (parts: readonly Part[]): Part =>
  parts.length === 0 ? {} : parts.length === 1 ? parts[0]! : ({ $and: [...parts] } as Part);

/** The order by which MongoDB sorts. */
export const sortOf = (order: readonly Sort[]): [string, 1 | -1][] => order.map(({ path, down }) => [fieldOf(path), down ? -1 : 1]);

/** The field in a row that a path leads to. */
export const fieldOf = (path: string): string => path.split(".").map(escapeName).join(".");

const where = (path: string, operator: string, value: unknown): Part => ({ [fieldOf(path)]: { [operator]: value } }) as Part;

const conditionOf = (condition: Condition): Part => {
  const { path, operator } = condition;
  if (operator === "$prefix" && condition.value === "") return where(path, "$gte", ""); // any text, and nothing else is compared with texts
  if (operator === "$prefix") return where(path, "$regex", `^${escapePattern(condition.value as string)}`);
  if (operator !== "$in") return where(path, operator, condition.value);
  const values = condition.values.map(storable);
  if (!condition.negated) return values.length === 1 ? where(path, "$eq", values[0]) : where(path, "$in", values);
  const [whole, single] = [values.filter(Array.isArray), values.filter((value) => !Array.isArray(value))];
  return all([...whole.map((value) => where(path, "$ne", value)), where(path, "$nin", single)]); // not every speaker knows [] in $nin
};

/** Only so far as it may be: MongoDB takes the beginning for the bounds of an index where nothing in it is an escape of another kind. */
const escapePattern = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a pattern in BSON ends at NUL
  text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&").replace(/\u0000/g, "\\x00");

/** What a document is sorted by in one field: a value, or none where it has an empty array. */
export type Place = readonly [] | readonly [Value];

/** The document's place in an order, but for its id. Throws `QUERY_REFUSED` where a field has several values: there is no page by such. */
export const placesOf = (document: Document, order: readonly Sort[]): Place[] =>
  order.slice(0, -1).map(({ path }) => {
    const { values, whole } = leaves(document, path);
    if (new Set(values.map(encode)).size > 1) throw new Rejected("QUERY_REFUSED", `${path} has several values, and is no order`, 400);
    return values.length === 0 && whole.length > 0 ? [] : [values[0] ?? null];
  });

/** What a cursor holds, where it is one of ours; it comes from outside. */
export const parsePlaces = (text: string, order: readonly Sort[]): Place[] => {
  try {
    const places = JSON.parse(text) as unknown;
    if (Array.isArray(places) && places.length === order.length - 1 && places.every(isPlace)) return places;
  } catch {
    // not ours either
  }
  throw new Rejected("CURSOR_INVALID", "after takes what next gave, with the same sort", 400);
};

const isPlace = (place: unknown): place is Place => Array.isArray(place) && place.length <= 1 && place.every(isHarmless);

/** Nothing that MongoDB could take for an operator, and no array: no place is one. */
const isHarmless = (value: unknown): boolean => {
  if (!isObject(value)) return value === null || ["string", "number", "boolean"].includes(typeof value);
  return Object.entries(value).every(([key, part]) => !key.startsWith("$") && isHarmless(part));
};

/** What stands after a place in an order that goes all one way; the id decides among equals. */
export const beyond = (order: readonly Sort[], places: readonly Place[], id: string): Part => {
  const down = order[0]!.down;
  const options: Part[] = [];
  for (const [i, { path }] of order.entries()) {
    const equal = order.slice(0, i).map((sort, j) => equals(sort.path, places[j]!));
    const further = i === order.length - 1 ? [where("_id", down ? "$lt" : "$gt", id)] : after(path, places[i]!, down);
    options.push(...further.map((part) => all([...equal, part])));
  }
  return { $or: options } as Part;
};

const equals = (path: string, place: Place): Part => where(path, "$eq", place.length === 0 ? [] : storable(place[0]));

/** Types in their order, each with its least value: a comparison never leaves a type. */
const TYPES = ["number", "string", "object", "boolean"] as const;
const LEAST = { number: Number.NEGATIVE_INFINITY, string: "", object: {}, boolean: false } as const;

const after = (path: string, place: Place, down: boolean): Part[] => {
  const none = where(path, "$eq", null);
  const empty = where(path, "$eq", []);
  if (place.length === 0) return down ? [] : [where(path, "$ne", [])];
  const value = place[0];
  if (value === null) return down ? [empty] : [all([where(path, "$ne", null), where(path, "$ne", [])])];
  const at = TYPES.indexOf(typeof value as (typeof TYPES)[number]);
  const others = (down ? TYPES.slice(0, at) : TYPES.slice(at + 1)).map((type) => where(path, "$gte", LEAST[type]));
  return [where(path, down ? "$lt" : "$gt", storable(value)), ...others, ...(down ? [none, empty] : [])];
};
