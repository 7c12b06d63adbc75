import fc from "fast-check";

const text = fc.constantFrom("", "a", "ab", "abc", "b", "B", "é", "z\u0001", "z\u0000", "z", "\u0002", "\uFFFD", "a b");
const number = fc.constantFrom(0, -0, 1, -1, 0.5, 2, 10, -10.25, 1e21, 5e-324, 2 ** 53);
export const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null));
const list = fc.array(scalar, { maxLength: 3 });
const object = fc.record({ x: scalar, y: scalar }, { requiredKeys: ["x"] });
const value = fc.oneof({ weight: 6, arbitrary: scalar }, list, object);
/** Where the objects of an array lack what a path asks for mingo differs from MongoDB: here they have it. */
const nested = fc.oneof(scalar, object, fc.array(object, { maxLength: 2 }), fc.record({ x: list }));
export const documents = fc
  .array(fc.record({ a: value, b: scalar, s: scalar, n: nested, tags: fc.array(text, { maxLength: 3 }) }, { requiredKeys: [] }), {
    maxLength: 12,
  })
  .map((docs) => docs.map((doc, i) => ({ ...doc, _id: `d${i}` })));

const bound = fc.oneof(text, number, fc.boolean());
const operators = (operand: fc.Arbitrary<unknown>) =>
  fc.oneof(
    operand,
    fc.record({ $eq: operand }),
    fc.record({ $ne: operand }),
    fc.record({ $in: fc.array(scalar, { maxLength: 3 }) }),
    fc.record({ $nin: fc.array(scalar, { maxLength: 3 }) }),
    fc.record({ $exists: fc.boolean() }),
    fc.record({ $gt: bound, $lte: bound }, { requiredKeys: ["$gt"] }),
    fc.record({ $gte: bound, $lt: bound }, { requiredKeys: ["$lt"] }),
    fc.record({ $prefix: text }),
  );
export const conditions = fc.record(
  {
    a: operators(value),
    b: operators(scalar),
    s: operators(scalar),
    "n.x": operators(scalar),
    tags: operators(fc.oneof(text, fc.array(text))),
  },
  { requiredKeys: [] },
);
export const query = fc.oneof(
  { weight: 3, arbitrary: conditions },
  fc.record({ $or: fc.array(conditions, { minLength: 1, maxLength: 3 }), b: operators(scalar) }, { requiredKeys: ["$or"] }),
  fc.record({ $and: fc.array(conditions, { minLength: 1, maxLength: 3 }), a: operators(scalar) }, { requiredKeys: ["$and"] }),
);

/** The same question in mingo's words: it has no `$prefix`. */
export const forMingo = (part: unknown): unknown => {
  if (Array.isArray(part)) return part.map(forMingo);
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, v]) =>
      key === "$prefix" ? ["$regex", new RegExp(`^${RegExp.escape(v as string)}`)] : [key, forMingo(v)],
    ),
  );
};
/** mingo puts a missing field before null, and arrays and objects by a rule of its own: each run sorts what has none of these. */
export const sortable = fc
  .array(
    fc.record({
      a: fc.oneof(
        scalar,
        object.map(({ x }) => ({ x })),
      ),
      b: scalar,
      s: scalar,
    }),
    { maxLength: 15 },
  )
  .map((docs) => docs.map((doc, i) => ({ ...doc, _id: `d${i}` })));
export const sorts = fc.constantFrom(["a"], ["-a"], ["s"], ["-s"], ["b", "a"], ["-b", "-s"], ["b", "-s"], ["-_id"], ["_id"], ["a", "b"]);
