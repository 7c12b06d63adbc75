import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { corsFor } from "./cors.ts";

/** Whose pages may read what is at a path: the origin that the answer names, if it names one. */
const allowed = (settings: string[], origin: string | undefined, path: string) => {
  const headers: string[] = [];
  corsFor(settings)?.({ headers: { origin } } as IncomingMessage, path, headers);
  const at = headers.indexOf("Access-Control-Allow-Origin");
  assert.equal(headers.includes("Access-Control-Allow-Credentials"), false, "cookies never go along");
  return at < 0 ? undefined : headers[at + 1];
};
const [SHOP, CATALOG, EVIL] = ["https://shop.example", "https://catalog.example", "https://evil.example"];

test("without a setting no page of another origin reads anything", () => {
  assert.equal(corsFor([]), undefined);
});

test("an origin reads all rooms, or the one that it is named for and no other", () => {
  const settings = [SHOP, `products=${CATALOG}`];
  assert.equal(allowed(settings, SHOP, "/api/v1/deals"), SHOP);
  assert.equal(allowed(settings, SHOP, "/api/v1/products/x"), SHOP);
  assert.equal(allowed(settings, CATALOG, "/api/v1/products"), CATALOG);
  for (const path of ["/api/v1/deals", "/api/v1/productsx", "/docs", "/api/v1/", "/"])
    assert.equal(allowed(settings, CATALOG, path), undefined, path);
  for (const path of ["/api/v1/deals", "/api/v1/products"]) assert.equal(allowed(settings, EVIL, path), undefined);
  assert.equal(allowed(settings, undefined, "/api/v1/deals"), undefined);
});

test("one room may be open to all while the others are open to nobody", () => {
  assert.equal(allowed(["products=*"], EVIL, "/api/v1/products"), "*");
  assert.equal(allowed(["products=*"], EVIL, "/api/v1/deals"), undefined);
});
