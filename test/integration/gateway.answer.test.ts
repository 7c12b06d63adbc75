import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { echo } from "../support/door.service.ts";
import { ask, serve } from "../support/http.ts";

test("a creation says what it made and where it is", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { status, headers, json } = await ask(`${url}/api/v1/echo`, { body: { id: "a~1" } });
  assert.equal(status, 201);
  assert.equal(headers.location, "/api/v1/echo/a~1");
  assert.equal(headers.etag, '"1"');
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(json.id, "a~1");
});

test("who has the newest version already is not given it again", async (t) => {
  const { url } = await serve(t, [echo()]);
  const first = await ask(`${url}/api/v1/echo/a`);
  assert.deepEqual([first.status, first.headers.etag, first.headers["cache-control"]], [200, '"3"', "private, no-cache"]);
  for (const has of ['"3"', 'W/"3"', '"1", "3"', '"3-gzip"', "*"]) {
    const again = await ask(`${url}/api/v1/echo/a`, { headers: { "If-None-Match": has } });
    assert.deepEqual([again.status, again.text, again.headers.etag], [304, "", '"3"'], has);
  }
  assert.equal((await ask(`${url}/api/v1/echo/a`, { headers: { "If-None-Match": '"2"' } })).status, 200);
});

test("an answer without a version has a tag all the same", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { etag } = (await ask(`${url}/api/v1/echo/long`)).headers;
  assert.match(String(etag), /^"[\w-]{27}"$/);
  assert.equal((await ask(`${url}/api/v1/echo/long`, { headers: { "If-None-Match": etag } })).status, 304);
});

test("HEAD is GET without the body", async (t) => {
  const { url } = await serve(t, [echo()]);
  const [head, get] = [await ask(`${url}/api/v1/echo/a`, { method: "HEAD" }), await ask(`${url}/api/v1/echo/a`)];
  assert.deepEqual([head.status, head.headers.etag, head.headers["content-length"]], [200, '"3"', String(get.bytes.length)]);
  assert.equal(head.text, "");
});

test("a long answer is compressed for who asks for it, a short one for nobody", async (t) => {
  const { url } = await serve(t, [echo()]);
  const plain = await ask(`${url}/api/v1/echo/long`);
  const read = async (codings: string) => {
    const { headers, bytes } = await ask(`${url}/api/v1/echo/long`, { headers: { "Accept-Encoding": codings } });
    assert.match(String(headers.vary), /Accept-Encoding/);
    return { coding: headers["content-encoding"], bytes, etag: headers.etag };
  };
  const br = await read("gzip, deflate, br");
  assert.equal(br.coding, "br");
  assert.equal(brotliDecompressSync(br.bytes).toString(), plain.text);
  const gzip = await read("gzip;q=1, br;q=0.5");
  assert.equal(gzip.coding, "gzip");
  assert.equal(gunzipSync(gzip.bytes).toString(), plain.text);
  assert.equal((await read("br;q=0, gzip;q=0")).coding, undefined);
  assert.equal((await read("zstd")).coding, undefined);
  assert.notEqual(br.etag, plain.headers.etag, "two forms of one answer must not share a strong tag");
  const short = await ask(`${url}/api/v1/echo/a`, { headers: { "Accept-Encoding": "br" } });
  assert.equal(short.headers["content-encoding"], undefined);
});

test("a table comes as CSV for who prefers it, with nothing in it that a spreadsheet would run", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { text, headers } = await ask(`${url}/api/v1/echo/table`, { headers: { Accept: "text/csv" } });
  assert.equal(text, 'name,due,note\r\n"Nut, ""M6""",-2.5,\r\n\'=1+1,3,"two\nlines"\r\n');
  assert.equal(headers["content-type"], "text/csv; charset=utf-8; header=present");
  const json = await ask(`${url}/api/v1/echo/table`, { headers: { Accept: "application/json, text/csv" } });
  assert.equal(json.headers["content-type"], "application/json; charset=utf-8");
  assert.equal(json.headers["cache-control"], "private, max-age=60");
  assert.equal(json.headers.vary, "Accept");
});

test("a room's refusal is told as it is; what went wrong inside is not", async (t) => {
  const { url, broker } = await serve(t, [echo()]);
  broker.logger.error = () => {};
  const broken = async (how: string) => (await ask(`${url}/api/v1/echo/break?how=${how}`)).json;
  const refused = await broken("refused");
  assert.deepEqual(refused, {
    type: "/docs/errors#STOCK_SHORT",
    title: "Conflict",
    status: 409,
    code: "STOCK_SHORT",
    detail: "There are 3 left",
    requestId: refused.requestId,
    data: { available: "3" },
  });
  assert.deepEqual([(await broken("later")).status, (await broken("later")).code], [503, "ACTOR_BUSY"]);
  assert.deepEqual([(await broken("elsewhere")).status, (await broken("elsewhere")).code], [503, "ROOM_UNAVAILABLE"]);
});

test("no stack, path or driver's text reaches a client", async (t) => {
  const { url } = await serve(t, [echo()]);
  const { log } = await import("../../mixins/runtime/logger.ts");
  log.level = "silent";
  for (const how of ["bug", "text"]) {
    const { status, text, json } = await ask(`${url}/api/v1/echo/break?how=${how}`);
    assert.deepEqual([status, json.code], [500, "INTERNAL_ERROR"]);
    assert.doesNotMatch(text, /SQLITE|secret|table|\.ts|node_modules| at /);
  }
});
