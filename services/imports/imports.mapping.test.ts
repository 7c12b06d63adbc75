import assert from "node:assert/strict";
import { test } from "node:test";
import { BadLine, COLUMNS, type Line, lineReader, revenueOf, toDeal, toWriteOffs } from "./imports.mapping.ts";
import { Plan } from "./imports.plan.ts";

const NOW = Date.UTC(2012, 0, 1);
const USUAL = {
  InvoiceNo: "536365",
  StockCode: "85123A",
  Description: "WHITE HANGING HEART",
  Quantity: "6",
  InvoiceDate: "2010-12-01T08:26:00",
  UnitPrice: "2.55",
  CustomerID: "17850",
  Country: "United Kingdom",
};
type Fields = Partial<Record<keyof typeof USUAL, string>>;

const linesOf = (...rows: Fields[]): Line[] => {
  const read = lineReader(COLUMNS, NOW);
  return rows.map((row, i) => read({ line: i + 2, fields: Object.values({ ...USUAL, ...row }) }));
};
const lineOf = (row: Fields) => linesOf(row)[0]!;
const planOf = (lines: Line[]) => {
  const plan = new Plan();
  for (const line of lines) plan.add(line);
  return plan;
};

test("an invoice is a deal that happened on its date", () => {
  const lines = linesOf({}, { StockCode: "POST", Quantity: "1", UnitPrice: "18.00" });
  assert.deepEqual(toDeal(lines), {
    id: "536365",
    saleParty: "17850",
    country: "United Kingdom",
    currency: "GBP",
    date: "2010-12-01",
    lines: [
      { product: "85123A", quantity: "6", rate: "2.55", kind: "goods" },
      { product: "POST", quantity: "1", rate: "18", kind: "service" },
    ],
  });
  assert.equal(lines[0]?.at, Date.UTC(2010, 11, 1, 8, 26));
});

test("a cancelled invoice is a return: what came back is counted above zero and takes from the revenue", () => {
  const back = lineOf({ InvoiceNo: "C536379", Quantity: "-2" });
  assert.deepEqual([back.kind, back.quantity, revenueOf([back])], ["return", "2", -510_000_000n]);
});

test("a quantity below zero at no price is stock written off, with its remark as the reason", () => {
  const lost = lineOf({ InvoiceNo: "536589", Quantity: "-10", UnitPrice: "0", CustomerID: "", Description: "thrown away" });
  assert.equal(lost.kind, "write-off");
  const [item] = toWriteOffs([lost]);
  assert.deepEqual([item?.id, item?.product, item?.quantity, item?.reason], ["536589~1", "85123A", "10", "thrown away"]);
});

test("bad debt adjusts the books either way and moves no stock", () => {
  const [up, down, turned] = linesOf(
    { InvoiceNo: "A563185", StockCode: "B", Quantity: "1", UnitPrice: "11062.06" },
    { InvoiceNo: "A563186", StockCode: "B", Quantity: "1", UnitPrice: "-11062.06" },
    { InvoiceNo: "A563188", StockCode: "B", Quantity: "-1", UnitPrice: "5" },
  ) as [Line, Line, Line];
  assert.deepEqual([up.kind, up.goods, up.rate, down.rate], ["adjustment", false, "11062.06", "-11062.06"]);
  assert.deepEqual([turned.quantity, turned.rate, revenueOf([turned])], ["1", "-5", -500_000_000n]);
});

test("a line without a customer belongs to one that is marked as unknown", () => {
  const plan = planOf(linesOf({ CustomerID: "" }));
  assert.deepEqual(plan.customers(), [{ id: "unknown", name: "Unknown customer", country: "Unspecified", tags: ["unknown"] }]);
});

test("postage, discounts, fees and vouchers are services; party bags with a like code are goods", () => {
  for (const code of ["POST", "DOT", "M", "m", "D", "C2", "S", "BANK CHARGES", "AMAZONFEE", "CRUK", "B", "PADS", "gift_0001_20"]) {
    assert.equal(lineOf({ StockCode: code }).goods, false, code);
  }
  for (const code of ["DCGSSBOY", "DCGS0003", "85123A"]) assert.equal(lineOf({ StockCode: code }).goods, true, code);
});

test("codes that differ in case are two products, and a code with a space still gets an id", () => {
  const ids = linesOf({ StockCode: "85123a" }, { StockCode: "85123A" }, { StockCode: "BANK CHARGES" }).map(({ product }) => product);
  assert.deepEqual(ids, ["85123a", "85123A", "BANK~20CHARGES"]);
});

test("what was sold or written off must have been there, at no known cost, on the first day's morning", () => {
  const plan = planOf(
    linesOf(
      { InvoiceDate: "2010-12-03T10:00:00" },
      { InvoiceNo: "536366", Quantity: "4" },
      { InvoiceNo: "C536379", Quantity: "-2" },
      { InvoiceNo: "536589", Quantity: "-10", UnitPrice: "0" },
      { InvoiceNo: "536367", StockCode: "POST" },
    ),
  );
  assert.deepEqual(plan.receipts("d"), [
    { id: "opening~d", product: "85123A", quantity: "20", cost: "0", occurredAt: Date.UTC(2010, 11, 1) },
  ]);
});

test("a product is called what its priced lines called it last, and remembers what it was called before", () => {
  const plan = planOf(
    linesOf(
      { Description: "RED POLKADOT" },
      { Description: "RED RETROSPOT" },
      { InvoiceNo: "2", Description: "check", UnitPrice: "0" },
      { InvoiceNo: "3", Description: "damaged", Quantity: "-1", UnitPrice: "0" },
      { StockCode: "20000", Description: "" },
    ),
  );
  const named = plan.products().map(({ code, description, descriptions }) => [code, description, descriptions]);
  assert.deepEqual(named, [
    ["85123A", "RED RETROSPOT", ["RED POLKADOT"]],
    ["20000", "20000", []],
  ]);
});

test("a customer that moved lives where it was last, while each deal keeps its own country", () => {
  const lines = linesOf({ Country: "Denmark" }, { InvoiceNo: "536366", Country: "EIRE" });
  assert.deepEqual(
    planOf(lines)
      .customers()
      .map(({ country }) => country),
    ["EIRE"],
  );
  assert.equal(toDeal(lines.slice(0, 1)).country, "Denmark");
});

test("a bad line is named with what is wrong with it", () => {
  const wrong: [Fields, RegExp][] = [
    [{ Quantity: "six" }, /quantity is no number/],
    [{ Quantity: "0" }, /quantity is zero/],
    [{ Quantity: "1e3" }, /quantity is no number/],
    [{ UnitPrice: "2.55555" }, /unit price is no number with at most 4 decimals/],
    [{ UnitPrice: "-1" }, /goods with a price below zero/],
    [{ Quantity: "-1" }, /below zero with a price/],
    [{ InvoiceNo: "C1" }, /cancelled invoice with a quantity above zero/],
    [{ StockCode: "POST", Quantity: "-1", UnitPrice: "0" }, /service has no stock/],
    [{ InvoiceDate: "2011-02-29T08:00:00" }, /date is none/],
    [{ InvoiceDate: "01/12/2010 08:26" }, /date is none/],
    [{ InvoiceDate: "2012-12-01T08:00:00" }, /future/],
    [{ InvoiceNo: "" }, /no invoice number/],
    [{ StockCode: "" }, /no stock code/],
    [{ StockCode: "x".repeat(48) }, /stock code is too long/],
  ];
  for (const [row, message] of wrong) {
    assert.throws(
      () => lineOf(row),
      (error) => error instanceof BadLine && message.test(error.message),
      JSON.stringify(row),
    );
  }
  assert.throws(() => lineReader(COLUMNS, NOW)({ line: 2, fields: ["536365"] }), /8 columns expected, 1 found/);
  assert.throws(() => lineReader(["InvoiceNo", "Qty"], NOW), /names no column StockCode, Description, Quantity/);
});

test("an invoice's line that names another customer is not slipped into somebody's deal", () => {
  const lines = linesOf({}, { CustomerID: "13047" });
  assert.throws(() => planOf(lines), /invoice 536365 began with another customer/);
});
