import fc from "fast-check";

export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  additionalProperties?: Schema | boolean;
  [limit: string]: unknown;
}

const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** Names that come again and again, so that requests meet what earlier ones made. */
const known = fc.constantFrom("a", "b", "c", "main", "85123A");

/** Values that the schema allows; rather short ones. */
export const valid = (schema: Schema): fc.Arbitrary<unknown> => {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valid));
  const types = [schema.type ?? "any"].flat();
  return fc.oneof(...types.map((type) => ofType(type, schema)));
};

const ofType = (type: string, schema: Schema): fc.Arbitrary<unknown> => {
  switch (type) {
    case "string":
      return text(schema);
    case "integer":
      return fc.integer({ min: number(schema.minimum) ?? -1_000, max: number(schema.maximum) ?? 1_000 });
    case "number":
      return fc.double({ min: number(schema.minimum) ?? -1e6, max: number(schema.maximum) ?? 1e6, noNaN: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const minLength = number(schema.minItems) ?? 0;
      return fc.array(valid(schema.items ?? {}), { minLength, maxLength: Math.max(minLength, Math.min(number(schema.maxItems) ?? 4, 4)) });
    }
    case "object":
      return object(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
};

const object = ({ properties = {}, required = [], additionalProperties }: Schema): fc.Arbitrary<unknown> => {
  const fields = Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, valid(part)]));
  const named = fc.record(fields, { requiredKeys: required });
  if (typeof additionalProperties !== "object") return named;
  return fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), valid(additionalProperties), { maxKeys: 3 });
};

const text = ({ pattern, format, minLength, maxLength }: Schema): fc.Arbitrary<string> => {
  const [min, max] = [number(minLength) ?? 0, Math.min(number(maxLength) ?? 40, 40)];
  const fits = (value: string) => value.length >= min && value.length <= (number(maxLength) ?? 40);
  if (format === "date-time") return fc.date({ min: new Date(0), noInvalidDate: true }).map((date) => date.toISOString());
  if (format === "email") return fc.emailAddress();
  if (format === "uuid") return fc.uuid();
  if (!pattern) return fc.string({ minLength: min, maxLength: Math.max(min, max) });
  const shape = new RegExp(pattern);
  const matching = fc.stringMatching(shape).filter(fits);
  return shape.test("a") ? fc.oneof({ weight: 4, arbitrary: known.filter((name) => shape.test(name)) }, matching) : matching;
};

/** Values that no schema asks for. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0.5, 1e308, 2 ** 53, "", " ", "a b", "../../etc/passwd", "' OR 1=1 --", '{"$ne":null}'),
  fc.constantFrom("\u0000", "\u202e", "\ud800", "é", "💥".repeat(100), "x".repeat(5_000), "9".repeat(400), "-0", "NaN", "1e9"),
  fc.constantFrom("9999-99-99", "2011-02-30", "2011-01-01T99:00:00Z", "+275761-01-01", "a@99999999999999999999", "a@-1", "@"),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.array(fc.constant({}), { maxLength: 3 }),
);

/** A good value with something in it that is not: dropped, replaced, or put where nothing was asked for. */
export const spoiled = (schema: Schema): fc.Arbitrary<unknown> =>
  fc
    .tuple(valid(schema), hostile, fc.infiniteStream(fc.nat()), fc.constantFrom("drop", "replace", "add"))
    .map(([value, bad, dice, how]) => {
      const spoil = (part: unknown): unknown => {
        if (typeof part !== "object" || part === null) return bad;
        const keys = Object.keys(part);
        const at = keys[dice.next().value! % (keys.length + 1)];
        if (at === undefined) return how === "add" && !Array.isArray(part) ? { ...part, surplus: bad } : bad;
        const copy = structuredClone(part) as Record<string, unknown>;
        if (how === "drop" && !Array.isArray(part)) delete copy[at];
        else copy[at] = dice.next().value! % 2 === 0 ? spoil(copy[at]) : bad;
        return copy;
      };
      return spoil(value);
    });
