import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../support/http.ts";
import { folder, startSystem } from "../support/system.ts";

test("what is asked under an id or key that is taken is done once, refused where it is something else, and never answered as done", async (t) => {
  const { url } = await startSystem(t, { DATA_DIR: folder(t) });
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const { status, json } = await ask(`${url}/api/v1/${path}`, { body, headers });
    return [status, json.code ?? "done"];
  };
  const key = (name: string) => ({ "Idempotency-Key": name });
  const twice = async (path: string, body: object, other: object, headers: Record<string, string> = {}) => [
    await post(path, body, headers),
    await post(path, body, headers),
    await post(path, other, headers),
  ];
  const done = [201, "done"];

  assert.deepEqual(await twice("inventory/A/receipts", { quantity: "9", cost: "1" }, { quantity: "2", cost: "1" }, key("k1")), [
    done,
    done,
    [422, "KEY_REUSED"],
  ]);
  assert.deepEqual(await twice("inventory/A/write-offs", { id: "w", quantity: "1" }, { id: "w", quantity: "2" }), [
    done,
    done,
    [422, "KEY_REUSED"],
  ]);
  assert.deepEqual(await twice("inventory/A/transfers", { quantity: "1", to: "n1" }, { quantity: "1", to: "n2" }, key("q")), [
    done,
    done,
    [422, "KEY_REUSED"],
  ]);
  const trade = { id: "R1", saleParty: "acme", currency: "GBP", lines: [{ product: "A", quantity: "1", rate: "2" }] };
  assert.deepEqual(await twice("deals/returns", trade, { ...trade, saleParty: "other" }), [
    [200, "done"],
    [200, "done"],
    [409, "DEAL_EXISTS"],
  ]);

  assert.deepEqual(await post("inventory/A/receipts", { quantity: "1" }, { "If-Match": '"999"' }), [412, "VERSION_MISMATCH"]);
});

test("a reservation that was released is known as released, however much has happened since", async (t) => {
  const { url } = await startSystem(t, { DATA_DIR: folder(t) });
  const post = (path: string, body: object) => ask(`${url}/api/v1/inventory/Z/${path}`, { body });
  await post("receipts", { quantity: "20" });
  await post("reservations", { id: "rel", quantity: "10" });
  await post("reservations/rel/release", {});
  for (let n = 0; n < 100; n++) await post("receipts", { id: `r${n}`, quantity: "1" });
  for (const quantity of ["10", "99999"]) {
    assert.equal((await post("reservations", { id: "rel", quantity })).json.code, "RESERVATION_RELEASED");
  }
});

test("what a deal holds is not released, picked or made behind its back", async (t) => {
  const { url } = await startSystem(t, { DATA_DIR: folder(t) });
  const post = (path: string, body: object) => ask(`${url}/api/v1/${path}`, { body });
  await post("inventory/V/receipts", { quantity: "5", cost: "1" });
  await post("deals", { id: "d", saleParty: "acme", currency: "GBP", lines: [{ product: "V", quantity: "5", rate: "2" }] });
  await post("deals/d/confirm", {});
  for (const verb of ["release", "pick"]) {
    assert.equal((await post(`inventory/V/reservations/d~1~1/${verb}`, {})).json.code, "RESERVATION_OF_DEAL");
  }
  assert.equal((await post("inventory/V/reservations", { id: "e~1~1", quantity: "1" })).json.code, "RESERVATION_OF_DEAL");
  assert.equal((await post("deals/d/fulfil", {})).json.status, "fulfilled");
});

test("a page, or a table, goes on in the list that gave it, and in no other", async (t) => {
  const { url } = await startSystem(t, { DATA_DIR: folder(t) });
  for (const id of ["a", "b", "c"]) {
    const line = { product: "P", quantity: "1", rate: "1", sources: [{ supplier: "s", quantity: "1", cost: "1" }] };
    await ask(`${url}/api/v1/deals`, { body: { id, saleParty: "acme", currency: "GBP", date: "2025-01-01", lines: [line] } });
  }
  const { json } = await ask(`${url}/api/v1/deals?limit=1&seen=c@1`);
  assert.deepEqual((json.items as { id: string }[])[0]?.id, "c", "of one day, what came last stands first in a list of the newest");
  const next = await ask(`${url}/api/v1/deals?limit=1&after=${json.next}`);
  assert.deepEqual((next.json.items as { id: string }[])[0]?.id, "b");
  const table = (query: string) => ask(`${url}/api/v1/${query}`, { headers: { Accept: "text/csv" } });
  const first = await table("deals?limit=2");
  const [, link = ""] = /^<(.*)>; rel="next"$/.exec(String(first.headers.link)) ?? [];
  const second = await ask(`${url}${link}`, { headers: { Accept: "text/csv" } });
  assert.deepEqual(
    [first, second].map(({ text }) => text.match(/^[abc](?=,)/gm)?.join("")),
    ["cb", "a"],
  );
  assert.equal(second.headers.link, undefined);
  assert.deepEqual((await table("deals")).text.split("\r\n").length, 5, "without a limit a table has all that a page can");
  assert.equal((await table("deals?party=nobody")).text, "id,version,status,saleParty,country,currency,date,owner,team,lines,amount\r\n");
  for (const other of ["sort=date", "party=acme", "from=2024-01-01"]) {
    assert.equal((await ask(`${url}/api/v1/deals?limit=1&after=${json.next}&${other}`)).json.code, "CURSOR_INVALID");
  }
});
