import assert from "node:assert/strict";
import { test } from "node:test";
import { bearer } from "../support/credentials.ts";
import { ask } from "../support/http.ts";
import { folder, startSystem } from "../support/system.ts";

/** What a role does not see it does not find anywhere (OWASP API3:2023, broken object property level authorization). */
test("what something cost, and what it brought, is shown to whoever may see it and to nobody else, wherever it stands", async (t) => {
  const { url } = await startSystem(t, { DATA_DIR: folder(t) });
  const post = async (path: string, body: object, authorization?: string) => {
    const answer = await ask(`${url}/api/v1/${path}`, { body, headers: authorization ? { authorization } : {} });
    assert.ok(answer.status < 300, answer.text);
    return answer;
  };
  const trader = await bearer("ann", ["trader"]);
  const sources = [{ supplier: "s", quantity: "10", cost: "1.11" }];
  const line = { product: "LDPE", quantity: "10", rate: "1.25", sources };
  await post("inventory/LDPE/receipts", { id: "r-1", quantity: "100", cost: "1.11" });
  const opened = await post("deals", { id: "d-1", saleParty: "acme", currency: "GBP", lines: [line] }, trader);
  const done = [opened, ...(await inTurn(["confirm", "fulfil"], (verb) => post(`deals/d-1/${verb}`, {}, trader)))];
  for (const { text } of done) assert.doesNotMatch(text, /"cost"|"margin"|1\.11/, "also in the answer to what he does himself");
  const { json } = await ask(`${url}/api/v1/deals/d-1`);
  const seen = `d-1@${json.version}`;
  for (const path of [
    "deals/d-1",
    "deals/d-1?at=2999-01-01T00:00:00Z",
    "deals/d-1/history",
    `deals?seen=${seen}`,
    "inventory/LDPE",
    "inventory",
    "inventory/LDPE/ledger",
    `analytics/revenue?by=month&seen=${seen}`,
    `analytics/revenue?by=product&top=1&seen=${seen}`,
  ]) {
    for (const Accept of ["application/json", "text/csv"]) {
      const all = await ask(`${url}/api/v1/${path}`, { headers: { Accept } });
      const { status, text } = await ask(`${url}/api/v1/${path}`, { headers: { Accept, authorization: trader } });
      assert.deepEqual([status, all.status], [200, 200], path);
      assert.doesNotMatch(text, /\b(cost|costs|margin|value)\b|1\.11|11\.1/, path);
      if (!path.startsWith("deals?")) assert.match(all.text, /\b(cost|margin|value)\b/, path);
      assert.ok(text.length > 30, path);
    }
  }
});

const inTurn = async <T, U>(list: readonly T[], each: (item: T) => Promise<U>): Promise<U[]> => {
  const done: U[] = [];
  for (const item of list) done.push(await each(item));
  return done;
};
