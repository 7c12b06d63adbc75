import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ServiceBroker } from "moleculer";

const DATA_DIR = mkdtempSync(join(tmpdir(), "banyan-record-"));
process.env.DATA_DIR = DATA_DIR;
const { default: tally } = await import("../test/support/tally.service.ts");
const broker = new ServiceBroker({ logger: false });
broker.createService(tally);
before(() => broker.start());
after(async () => {
  await broker.stop();
  rmSync(DATA_DIR, { recursive: true });
});

type Page = { items: { stream: string; version: number; events: { type: string }[] }[]; next?: string };

test("whoever reads a room's record from the beginning meets everything once, and learns nothing that is its callers' secret", async () => {
  const meta = { user: { id: "anna", roles: [] }, idempotencyKey: "secret-key" };
  for (let n = 0; n < 7; n++) await broker.call("v1.tally.add", { id: `s${n % 2}`, amount: 1 }, { meta: n ? {} : meta });
  const items: Page["items"] = [];
  for (let after = ""; ; ) {
    const page = await broker.call<Page, object>("v1.tally.commits", { after, limit: 3 });
    items.push(...page.items);
    if (page.next === undefined) break;
    after = page.next;
  }
  assert.deepEqual(
    ["s0", "s1"].map((id) => items.filter(({ stream }) => stream === id).map(({ version }) => version)),
    [
      [1, 2, 3, 4],
      [1, 2, 3],
    ],
  );
  assert.doesNotMatch(JSON.stringify(items), /secret-key|digest|once|"after"/);
});

test("a page of the record has a size that it can be asked for in", async () => {
  for (const params of [{ limit: 0 }, { limit: 201 }, { after: "no such" }, { limit: "many" }]) {
    await assert.rejects(broker.call("v1.tally.commits", params), { code: 422 });
  }
});
