import { Rejected } from "./core/errors.ts";
import type { Cursor } from "./storage/sqlite.documents.ts";

/** What every list takes. */
export const pageParams = (sorts: readonly string[]) => ({
  limit: "number|integer|min:1|max:200|convert|default:50",
  after: { type: "string", max: 2_000, optional: true },
  sort: { type: "enum", values: sorts.flatMap((sort) => [sort, `-${sort}`]), optional: true },
  seen: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}@\\d{1,15}$", optional: true },
});

/** Opaque to clients. It names its order, so that it is not taken for a place in another one. */
export const encodeCursor = ({ values, id }: Cursor, sort: string): string =>
  Buffer.from(JSON.stringify([sort, id, ...values])).toString("base64url");

/** Throws `CURSOR_INVALID` on what no list with this order has given. */
export const decodeCursor = (text: string, sort: string): Cursor => {
  try {
    const [given, id, ...values] = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    const scalar = values.length === 1 && (typeof values[0] !== "object" || values[0] === null);
    if (given === sort && typeof id === "string" && scalar) return { values, id };
  } catch {
    // not ours either
  }
  throw new Rejected("CURSOR_INVALID", "after takes what next gave, with the same sort", 400);
};
