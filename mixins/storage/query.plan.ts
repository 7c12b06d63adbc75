import type { Condition, Filter } from "./query.ts";
import { above, compareText, encode, encodePrefix, rankOf } from "./query.values.ts";

/** An index of a room's documents, as it stands in the room's file. */
export interface Index {
  readonly number: number;
  readonly fields: readonly string[];
  readonly unique: boolean;
  /** For each field, whether some document ever had several values there: then a document stands in the index several times. */
  readonly several: readonly boolean[];
}

export interface Sort {
  readonly path: string;
  readonly down: boolean;
}

/** Keys of an index from `from` (included) to `to` (not). */
export interface Bounds {
  readonly from: string;
  readonly to: string;
}

export interface Plan {
  readonly index: Index;
  /** Where all that can match stands: what stands there is still to be checked. */
  readonly bounds: readonly Bounds[];
  /** Whether the index is in the order asked for, each document in it once. */
  readonly ordered: boolean;
  /** What the keys of an ordered plan begin with, and the fields that they go on with. */
  readonly prefix: string;
  readonly by: readonly Sort[];
  /** How many conditions narrow it. */
  readonly narrowed: number;
}

const MAX_BOUNDS = 100;

/** `name` or `-name`, each field once. The id makes the order complete; it goes the way of the first field. */
export const parseSort = (sort: readonly string[] = []): Sort[] => {
  const fields = sort.map((field) => ({ path: field.replace(/^-/, ""), down: field.startsWith("-") }));
  return fields.some(({ path }) => path === "_id") ? fields : [...fields, { path: "_id", down: fields[0]?.down ?? false }];
};

/** The index that serves best: the most conditions, then the order. None serves where nothing is narrowed nor in order, or not in order where it must be. */
export const planOf = (filter: Filter, sort: readonly Sort[], indexes: readonly Index[], mustOrder = false): Plan | undefined =>
  indexes
    .flatMap((index) => [tryIndex(filter, sort, index, MAX_BOUNDS), tryIndex(filter, sort, index, 1)])
    .filter((plan) => plan.ordered || (plan.narrowed > 0 && !mustOrder))
    .sort((a, b) => b.narrowed - a.narrowed || Number(b.ordered) - Number(a.ordered))[0];

/** Among several values (`$in`) an index is in no order: with `most` 1 it is used for the order, and they are only checked. */
const tryIndex = (filter: Filter, sort: readonly Sort[], index: Index, most: number): Plan => {
  let prefixes = [""];
  let fixed = 0;
  for (; fixed < index.fields.length; fixed++) {
    const keys = keysEqual(filter, index.fields[fixed]!);
    if (!keys || prefixes.length * keys.length > most || (most === 1 && keys.length === 0)) break;
    prefixes = prefixes.flatMap((prefix) => keys.map((key) => prefix + key));
  }
  const ranges = fixed < index.fields.length ? keyRanges(filter, index.fields[fixed]!, index.several[fixed]!) : [];
  const range = ranges.reduce<Bounds | undefined>(narrower, undefined);
  const bounds = prefixes.map((prefix) =>
    range ? { from: prefix + range.from, to: prefix + range.to } : { from: prefix, to: prefix === "" ? "~" : above(prefix) },
  );
  const equal = new Set(index.fields.filter((_, i) => i < fixed && !index.several[i]));
  const rest = sort.filter(({ path }) => !equal.has(path)); // what is the same in all that is found puts nothing in order
  return {
    index,
    bounds,
    by: rest.slice(0, -1),
    ordered: bounds.length === 1 && inOrder(rest, index, fixed),
    prefix: prefixes[0]!,
    narrowed: fixed + Math.min(ranges.length, 1),
  };
};

/** Sorted by exactly the fields that follow those held equal, then by id, all one way, and no document twice. */
const inOrder = (sort: readonly Sort[], index: Index, fixed: number): boolean =>
  sort.length === index.fields.length - fixed + 1 &&
  sort.every(
    ({ path, down }, i) =>
      down === sort[0]!.down && (i === sort.length - 1 ? path === "_id" : path === index.fields[fixed + i] && !index.several[fixed + i]),
  );

/** The keys under which a field must stand for the filter to hold, where it names them. Whole arrays have no key. */
const keysEqual = ({ conditions }: Filter, path: string): string[] | undefined => {
  for (const condition of conditions) {
    if (condition.path !== path || condition.operator !== "$in" || condition.negated) continue;
    if (!condition.values.some(Array.isArray)) return [...new Set(condition.values.map(encode))];
  }
  return undefined;
};

/** Where several values stand for one document, each condition may hold for another of them: only one of them narrows. */
const keyRanges = ({ conditions }: Filter, path: string, several: boolean): Bounds[] => {
  const ranges = conditions.filter((condition) => condition.path === path).flatMap(boundsOf);
  return several ? ranges.slice(0, 1) : ranges;
};

const boundsOf = (condition: Condition): Bounds[] => {
  if (condition.operator === "$in" || condition.operator === "$exists") return [];
  if (condition.operator === "$prefix") {
    const prefix = encodePrefix(condition.value as string);
    return [{ from: prefix, to: above(prefix) }];
  }
  const rank = rankOf(condition.value);
  const key = encode(condition.value);
  if (condition.operator === "$gt") return [{ from: above(key), to: above(rank) }];
  if (condition.operator === "$gte") return [{ from: key, to: above(rank) }];
  return [{ from: rank, to: condition.operator === "$lt" ? key : above(key) }];
};

/** What lies in both. */
const narrower = (a: Bounds | undefined, b: Bounds): Bounds =>
  a ? { from: compareText(a.from, b.from) > 0 ? a.from : b.from, to: compareText(a.to, b.to) < 0 ? a.to : b.to } : b;
