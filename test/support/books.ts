import assert from "node:assert/strict";
import { ask } from "./http.ts";
import { until } from "./other-node.ts";

/** Everything that a system answers about itself, but for the order among equals. */
export type Books = Record<string, unknown[]>;

const LISTS = ["deals", "customers", "products", "inventory"];
const REPORTS = ["month", "day", "country", "customer", "product"];

const get = async (url: string, path: string) => {
  const { status, json, text } = await ask(`${url}/api/v1/${path}`);
  assert.equal(status, 200, `${path}: ${text.slice(0, 300)}`);
  return json;
};

const all = async (url: string, path: string): Promise<unknown[]> => {
  const items: unknown[] = [];
  for (let after: unknown = ""; after !== undefined; ) {
    const page = await get(
      url,
      `${path}${path.includes("?") ? "&" : "?"}limit=200${after ? `&after=${encodeURIComponent(String(after))}` : ""}`,
    );
    items.push(...(page.items as unknown[]));
    after = page.next;
  }
  return items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
};

/** All reports and lists, and some of what is in them one by one, with what happened to it. */
export const booksOf = async (url: string): Promise<Books> => {
  const books: Books = {};
  for (const list of LISTS) books[list] = await all(url, list);
  for (const by of REPORTS) books[by] = await all(url, `analytics/revenue?by=${by}`);
  for (const list of ["deals", "customers", "products"]) {
    const ids = (books[list] as { id: string }[]).map(({ id }) => id).sort();
    books[`one of ${list}`] = await Promise.all(ids.slice(0, 20).map((id) => get(url, `${list}/${id}`)));
  }
  const deals = (books.deals as { id: string }[]).map(({ id }) => id).sort();
  books.history = await Promise.all(deals.slice(0, 20).map((id) => get(url, `deals/${id}/history`)));
  return books;
};

/** Resolves once it answers the same; where it does not within half a minute, with what differs. */
export const showsSame = async (url: string, books: Books) => {
  const start = Date.now();
  const now = await until(async () => {
    const found = await booksOf(url);
    return (JSON.stringify(found) === JSON.stringify(books) || Date.now() - start > 30_000) && found;
  });
  for (const part of Object.keys(books)) assert.deepEqual(now[part], books[part], part);
};
