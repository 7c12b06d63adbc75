import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { add, decimal, multiply, negate } from "../../mixins/core/decimal.ts";
import type { Deal } from "./imports.mapping.ts";
import { silent } from "./imports.progress.ts";
import { csvRecords } from "./imports.reader.ts";
import { importBooks } from "./imports.run.ts";
import { sampleBooks } from "./imports.sample.ts";
import { fileSource, type Source, textSource } from "./imports.source.ts";
import { revenueIn } from "./imports.table.ts";

const REAL = join(import.meta.dirname, "../../../shared/data/online_retail.csv.zst");

/** Imports into a ledger that keeps what each room was asked, and sums it up as the reports do. */
const ledgerOf = async (source: Source) => {
  const calls = new Map<string, Deal & { items: Record<string, string>[] }>();
  const rejected: string[] = [];
  let n = 0;
  const outcome = await importBooks({
    source,
    call: async (action, params) => void calls.set(`${action} ${n++}`, params as Deal & { items: Record<string, string>[] }),
    progress: silent,
    now: Date.UTC(2012, 0, 1),
    reject: ({ line }, reason) => rejected.push(`${line}: ${reason}`),
  });
  const asked = (action: string) => [...calls].filter(([key]) => key.startsWith(`${action} `)).map(([, params]) => params);
  const sums = { month: new Map<string, string>(), country: new Map<string, string>() };
  for (const [action, sign] of [["v1.deals.book", (x: string) => x] as const, ["v1.deals.takeBack", negate] as const]) {
    for (const { date, country, lines } of asked(action)) {
      const amount = sign(add(...lines.map(({ quantity, rate }) => multiply(quantity, rate))));
      sums.month.set(date.slice(0, 7), add(sums.month.get(date.slice(0, 7)) ?? "0", amount));
      sums.country.set(country, add(sums.country.get(country) ?? "0", amount));
    }
  }
  return { outcome, asked, rejected, ...sums };
};

/** The revenue of a file as anybody would add it up, without any of our mapping. */
const plainSum = async (source: Source) => {
  const rows = (await Array.fromAsync(csvRecords(source.read()))).flat().slice(1);
  return add(...rows.map(({ fields }) => multiply(fields[3]!, fields[5]!)));
};

test("the sample's books come to what its lines add up to, and nothing leaves the stock that was not there", async () => {
  const source = textSource(sampleBooks());
  const { outcome, asked, rejected, country } = await ledgerOf(source);
  assert.deepEqual(rejected, []);
  assert.equal(decimal(revenueIn(outcome)), await plainSum(source));
  assert.equal(add(...country.values()), await plainSum(source));
  for (const counted of [outcome.deals.count, outcome.returns.count, outcome.writeOffs, outcome.adjustments.count, outcome.unknown]) {
    assert.ok(counted > 0);
  }

  const stock = new Map<string, string>();
  const move = (product: string, by: string) => stock.set(product, add(stock.get(product) ?? "0", by));
  for (const { items } of asked("v1.inventory.receiveMany")) for (const { product, quantity } of items) move(product!, quantity!);
  for (const { lines } of asked("v1.deals.book")) {
    for (const { product, quantity, kind } of lines) if (kind === "goods") move(product, negate(quantity));
  }
  for (const { items } of asked("v1.inventory.writeOffMany")) for (const { product, quantity } of items) move(product!, negate(quantity!));
  assert.deepEqual(new Set(stock.values()), new Set(["0"]));
});

test("an invoice that stands in two places is one deal with all its lines", async () => {
  const { asked } = await ledgerOf(textSource(sampleBooks()));
  const ids = [...asked("v1.deals.book"), ...asked("v1.deals.takeBack")].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});

test("the same seed makes the same sample, another seed another one", () => {
  assert.equal(sampleBooks({ seed: 7 }), sampleBooks({ seed: 7 }));
  assert.notEqual(sampleBooks({ seed: 7 }), sampleBooks({ seed: 8 }));
});

test("bad lines are left out by their number, and all others are booked", async () => {
  const [header, ...lines] = sampleBooks({ lines: 200 }).trimEnd().split("\n");
  const dirty = [header, lines[0], "1,2,3", ...lines.slice(1), '9,"x,1,1,2011-01-01,1,,UK', lines[0]!.replace(/,\d+,/, ",many,")].join(
    "\n",
  );
  const { outcome, rejected } = await ledgerOf(textSource(dirty));
  assert.deepEqual([outcome.rejects, outcome.lines], [3, lines.length + 3]);
  assert.match(rejected[0] ?? "", /^3: 8 columns expected, 3 found$/);
  assert.match(rejected[1] ?? "", new RegExp(`^${lines.length + 3}: a quote is never closed$`));
});

test("a year of real books: every figure to the last tenth of a penny", { skip: !existsSync(REAL) && `no file ${REAL}` }, async () => {
  const { outcome, rejected, asked, month, country } = await ledgerOf(fileSource(REAL));
  assert.deepEqual(rejected, []);
  assert.equal(decimal(revenueIn(outcome)), "9747747.934");
  assert.deepEqual([outcome.lines, outcome.unknown, outcome.products, outcome.customers], [541_909, 135_080, 4_070, 4_373]);
  assert.deepEqual([outcome.returns.count, decimal(outcome.returns.amount)], [3_836, "-896812.49"]);
  assert.deepEqual([outcome.deals.count, outcome.adjustments.count, outcome.writeOffs], [20_725, 3, 1_336]);
  assert.deepEqual(
    ["2010-12", "2011-11", "2011-12"].map((name) => month.get(name)),
    ["748957.02", "1461756.25", "433668.01"],
  );
  assert.deepEqual(
    ["United Kingdom", "Netherlands", "EIRE"].map((name) => country.get(name)),
    ["8187806.364", "284661.54", "263276.82"],
  );
  assert.equal(asked("v1.deals.book").find(({ id }) => id === "542806")?.lines.length, 39);
});
