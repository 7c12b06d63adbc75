/** The values of JSON documents, in the order in which MongoDB puts values of all types. */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

export const isObject = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

export interface Leaves {
  /** What a path leads to, the elements of an array one by one; `undefined` where an object lacks it. */
  values: (Value | undefined)[];
  /** The arrays that it leads to, as a whole. */
  whole: Value[][];
}

/**
 * What a condition on `path` is tried on. As in MongoDB a path goes through arrays into each object in them, and an
 * array that it ends at counts both by element and as a whole. Where an array on the way has no object, there is nothing.
 */
export const leaves = (document: Record<string, unknown>, path: string): Leaves => {
  const found: Leaves = { values: [], whole: [] };
  walk(document, path, found);
  return found;
};

const walk = (object: Record<string, unknown>, path: string, found: Leaves): void => {
  const dot = path.indexOf(".");
  const key = dot < 0 ? path : path.slice(0, dot);
  const value = Object.hasOwn(object, key) ? (object[key] as Value) : undefined;
  if (dot < 0) {
    if (!Array.isArray(value)) return void found.values.push(value);
    found.values.push(...value);
    found.whole.push(value);
    return;
  }
  const rest = path.slice(dot + 1);
  if (isObject(value)) walk(value, rest, found);
  else if (!Array.isArray(value)) found.values.push(undefined);
  else for (const element of value) if (isObject(element)) walk(element, rest, found);
};

/** Code point order, which is the order of UTF-8's bytes and MongoDB's; `<` on texts orders by UTF-16 units. */
export const compareText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const RANK = { empty: "1", null: "2", number: "3", string: "4", object: "5", array: "6", boolean: "8" } as const;
const END = "\u0001";

/**
 * A value as text whose order, by code points, is MongoDB's order of values, also when texts of several values stand
 * one after another: empty array, null (and missing), numbers, texts, objects, arrays, false, true.
 */
export const encode = (value: Value | undefined): string => {
  if (value === null || value === undefined) return RANK.null;
  if (typeof value === "number") return RANK.number + encodeNumber(value);
  if (typeof value === "string") return RANK.string + escapeEnd(value) + END;
  if (typeof value === "boolean") return RANK.boolean + (value ? "1" : "0");
  if (Array.isArray(value)) return RANK.array + value.map(encode).join("") + END;
  const fields = Object.entries(value).map(([key, v]) => {
    const encoded = encode(v);
    return encoded[0] + escapeEnd(key) + END + encoded;
  });
  return RANK.object + fields.join("") + END;
};

/** The least key that is above all that begin with `prefix`: its last character made one greater. */
export const above = (prefix: string): string => {
  const characters = Array.from(prefix);
  const last = characters.pop()!.codePointAt(0)!;
  if (last === 0x10ffff) return above(characters.join(""));
  return characters.join("") + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1); // between them lie halves of characters
};

/** The beginning of the keys of all texts that begin with `text`. */
export const encodePrefix = (text: string): string => RANK.string + escapeEnd(text);

/** The beginning of the keys of all values of this one's type: a comparison never leaves it. */
export const rankOf = (value: Value): string => encode(value)[0]!;

/** A field's keys in an index: one for each leaf, so that an array is found by its elements. */
export const fieldKeys = (document: Record<string, unknown>, path: string): string[] => {
  const { values, whole } = leaves(document, path);
  if (values.length > 0) return [...new Set(values.map(encode))];
  return [whole.length > 0 ? RANK.empty : RANK.null];
};

/** What a document is sorted by: of an array the least element, or the greatest where the order is downwards. */
export const sortKey = (document: Record<string, unknown>, path: string, down: boolean): string => {
  const keys = fieldKeys(document, path);
  return keys.length === 1 ? keys[0]! : keys.reduce((best, key) => (compareText(key, best) < 0 !== down ? key : best));
};

const bits = new DataView(new ArrayBuffer(8));

/** The bits of a double in hex, turned so that their order is the numbers'. */
const encodeNumber = (value: number): string => {
  bits.setFloat64(0, value === 0 ? 0 : value); // -0 is 0
  const high = bits.getUint32(0);
  const low = bits.getUint32(4);
  const [h, l] = high >>> 31 ? [~high >>> 0, ~low >>> 0] : [(high | 0x80000000) >>> 0, low];
  return h.toString(16).padStart(8, "0") + l.toString(16).padStart(8, "0");
};

/** No text may hold the mark that ends it: the three least characters are written as two. */
const escapeEnd = (text: string) => {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < 3)
      return Array.from(text, (c) => (c < "\u0003" ? `\u0002${String.fromCharCode(c.charCodeAt(0) + 1)}` : c)).join("");
  }
  return text;
};
