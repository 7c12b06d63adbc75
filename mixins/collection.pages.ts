import { Rejected } from "./core/errors.ts";
import type { Cursor } from "./storage/collection-store.ts";

/** What every list takes. */
export const pageParams = (sorts: readonly string[]) => ({
  limit: "number|integer|min:1|max:200|convert|default:50",
  after: { type: "string", max: 2_000, optional: true },
  sort: { type: "enum", values: sorts.flatMap((sort) => [sort, `-${sort}`]), optional: true },
  seen: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_~-]{0,63}@\\d{1,15}$", optional: true },
});

/** Opaque to clients. It names its order, so that it is not taken for a place in another one. */
export const encodeCursor = ({ key, id }: Cursor, sort: string): string =>
  Buffer.from(JSON.stringify([sort, key, id])).toString("base64url");

/** Throws `CURSOR_INVALID` on what no list with this order has given. */
export const decodeCursor = (text: string, sort: string): Cursor => {
  try {
    const [given, key, id] = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (given === sort && typeof key === "string" && typeof id === "string") return { key, id };
  } catch {
    // not ours either
  }
  throw new Rejected("CURSOR_INVALID", "after takes what next gave, with the same sort", 400);
};
