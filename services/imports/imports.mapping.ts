import { canonical, times, units } from "../../mixins/core/decimal.ts";
import { idOf } from "../../mixins/core/ids.ts";
import type { CsvRecord } from "./imports.reader.ts";

/** What a line of the books is to us; docs/import.md has the same table in words. */
export type LineKind = "sale" | "return" | "write-off" | "adjustment";

/** A line of the file, understood. */
export interface Line {
  readonly record: CsvRecord;
  readonly kind: LineKind;
  readonly invoice: string;
  readonly code: string;
  /** The product's id, as it follows from its code. */
  readonly product: string;
  readonly goods: boolean;
  readonly description: string;
  /** Canonical and above zero; `kind` says which way it goes. */
  readonly quantity: string;
  readonly rate: string;
  readonly party: string;
  readonly country: string;
  /** When it happened: epoch milliseconds, and the day in UTC. */
  readonly at: number;
  readonly day: string;
}

/** One invoice as `v1.deals.book` and `v1.deals.takeBack` take it. */
export interface Deal {
  readonly id: string;
  readonly saleParty: string;
  readonly country: string;
  readonly currency: string;
  readonly date: string;
  readonly lines: readonly { product: string; quantity: string; rate: string; kind: "goods" | "service" }[];
}

export const COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"] as const;
export const CURRENCY = "GBP"; // the file has no column for it, and its seller keeps books in pounds
/** Whom a line without a customer belongs to. */
export const UNKNOWN = "unknown";

/**
 * Codes that the books hold like stock and that never lay on a shelf: postage, carriage, manual lines, discounts,
 * samples sent, bank and marketplace fees, a charity's commission, bad debt, pads that come with cushions.
 */
const SERVICES = new Set(["AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "PADS", "POST", "S"]);
export const isService = (code: string): boolean => SERVICES.has(code.toUpperCase()) || /^gift_/i.test(code);

const NUMBER = /^-?\d{1,12}(\.\d{1,4})?$/;
const CANONICAL = /^(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d*[1-9])$/;
const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?))?$/;
const LONGEST_NUMBER = 40; // of an invoice or customer as an id: it is part of other ids
const LONGEST_PRODUCT = 47;
const LONGEST_TEXT = 200;
const LONGEST_COUNTRY = 60;

/** What is wrong with a line, in words for whoever keeps the books. */
export class BadLine extends Error {}

/**
 * A function that understands the records of a file with this header, or throws `BadLine`; it remembers texts that
 * come again and again, so each file wants its own. Throws `BadLine` itself where a column is missing.
 * @param now epoch milliseconds: what lies after has not happened
 */
export const lineReader = (header: readonly string[], now: number): ((record: CsvRecord) => Line) => {
  const places = COLUMNS.map((column) => header.findIndex((name) => name.trim() === column));
  const missing = COLUMNS.filter((_, i) => places[i] === -1);
  if (missing.length > 0) throw new BadLine(`the first line names no column ${missing.join(", ")}`);
  const [invoiceAt, codeAt, descriptionAt, quantityAt, dateAt, priceAt, customerAt, countryAt] = places as number[];

  const invoices = remember(invoiceOf);
  const products = remember(productOf);
  const parties = remember(partyOf);
  const countries = remember(countryOf);
  const moments = remember(momentOf);

  return (record) => {
    const { fields, broken } = record;
    if (broken) throw new BadLine(broken);
    if (fields.length !== header.length) throw new BadLine(`${header.length} columns expected, ${fields.length} found`);
    const field = (place: number | undefined) => fields[place!]!.trim();

    const invoice = invoices(field(invoiceAt));
    const { code, product, service } = products(field(codeAt));
    const description = field(descriptionAt);
    if (description.length > LONGEST_TEXT) throw new BadLine("the description is too long");

    const quantity = numberOf("quantity", field(quantityAt));
    const rate = numberOf("unit price", field(priceAt));
    const { at, day } = moments(field(dateAt));
    if (at > now) throw new BadLine("the date lies in the future");

    const party = parties(field(customerAt));
    const country = countries(field(countryAt));

    const below = quantity.startsWith("-");
    const kind = kindOf(invoice, below, rate);
    const goods = kind !== "adjustment" && !service;
    if (quantity === "0") throw new BadLine("the quantity is zero");
    if (goods && rate.startsWith("-")) throw new BadLine("goods with a price below zero");
    if (!goods && kind === "write-off") throw new BadLine("a service has no stock to write off");
    return {
      record,
      kind,
      invoice,
      code,
      product,
      goods,
      description,
      quantity: below ? quantity.slice(1) : quantity,
      rate: kind === "adjustment" && below ? canonical(rate.startsWith("-") ? rate.slice(1) : `-${rate}`) : rate,
      party,
      country,
      at,
      day,
    };
  };
};

const kindOf = (invoice: string, below: boolean, rate: string): LineKind => {
  if (/^a\d/i.test(invoice)) return "adjustment";
  if (/^c\d/i.test(invoice)) {
    if (!below) throw new BadLine("a cancelled invoice with a quantity above zero");
    return "return";
  }
  if (!below) return "sale";
  if (rate !== "0") throw new BadLine("a quantity below zero with a price, on an invoice that is no cancellation");
  return "write-off";
};

const numberOf = (what: string, text: string): string => {
  if (!NUMBER.test(text)) throw new BadLine(`the ${what} is no number with at most 4 decimals: "${text.slice(0, 40)}"`);
  return CANONICAL.test(text) ? text : canonical(text);
};

const invoiceOf = (invoice: string) => {
  if (invoice === "") throw new BadLine("no invoice number");
  if (idOf(invoice).length > LONGEST_NUMBER) throw new BadLine("the invoice number is too long");
  return invoice;
};

const productOf = (code: string) => {
  if (code === "") throw new BadLine("no stock code");
  const product = idOf(code);
  if (product.length > LONGEST_PRODUCT) throw new BadLine("the stock code is too long");
  return { code, product, service: isService(code) };
};

const partyOf = (customer: string) => {
  const party = idOf(customer || UNKNOWN);
  if (party.length > LONGEST_NUMBER) throw new BadLine("the customer's number is too long");
  return party;
};

const countryOf = (country: string) => {
  if (country.length > LONGEST_COUNTRY) throw new BadLine("the country is too long");
  return country || "Unspecified";
};

const momentOf = (text: string): { at: number; day: string } => {
  const [, day, time = "00:00"] = MOMENT.exec(text) ?? [];
  try {
    return { at: Temporal.Instant.from(`${day}T${time}Z`).epochMilliseconds, day: day! };
  } catch {
    throw new BadLine(`the date is none: "${text.slice(0, 40)}"`);
  }
};

/**
 * Answers for texts that come again, most often at once. It keeps a copy of its own of each: a piece of a text that was
 * read in chunks keeps its whole chunk in memory.
 */
const remember = <T>(make: (text: string) => T): ((text: string) => T) => {
  const known = new Map<string, T>();
  let latest: string | undefined;
  let answer: T;
  return (text) => {
    if (text === latest) return answer;
    let found = known.get(text);
    if (found === undefined) {
      const own = copyOf(text);
      found = make(own);
      known.set(own, found);
    }
    latest = text;
    answer = found;
    return found;
  };
};
export const copyOf = (text: string): string => Buffer.from(text).toString();

/** An invoice as a deal; its lines are of one kind and of one customer, the first one's date is its own. */
export const toDeal = (lines: readonly Line[]): Deal => {
  const { invoice, party, country, day } = lines[0]!;
  return {
    id: idOf(invoice),
    saleParty: party,
    country,
    currency: CURRENCY,
    date: day,
    lines: lines.map(({ product, quantity, rate, goods }) => ({ product, quantity, rate, kind: goods ? "goods" : "service" })),
  };
};

/** Stock that was written off, as `v1.inventory.writeOffMany` takes it; each is named by its place among those of its invoice. */
export const toWriteOffs = (lines: readonly Line[]) =>
  lines.map(({ invoice, product, quantity, description, at }, i) => ({
    ...{ id: `${idOf(invoice)}~${i + 1}`, product, quantity, reason: description || "no reason given", occurredAt: at },
  }));

/** What lines add to the revenue, in 10⁻⁸. */
export const revenueOf = (lines: readonly Line[]): bigint =>
  lines.reduce((sum, { kind, quantity, rate }) => {
    const amount = times(units(quantity), units(rate));
    return kind === "return" ? sum - amount : sum + amount;
  }, 0n);
