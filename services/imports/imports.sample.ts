import { COLUMNS } from "./imports.mapping.ts";
import { csvLine } from "./imports.reader.ts";

const COUNTRIES = ["United Kingdom", "United Kingdom", "United Kingdom", "Netherlands", "EIRE", "Germany", "France", "RSA"];
const WORDS = ["WHITE", "RED", "VINTAGE", "HEART", "LANTERN", "TEA CUP", "CAKE STAND", "DOORMAT", "BUNTING", "CANDLE", "JAM JAR", "CLOCK"];
const SERVICES = [
  ["POST", "POSTAGE", "18"],
  ["DOT", "DOTCOM POSTAGE", "94.17"],
  ["M", "Manual", "7.5"],
  ["C2", "CARRIAGE", "50"],
  ["gift_0001_20", "Gift Voucher £20.00", "16.667"],
] as const;
const REMARKS = ["damaged", "", "check", "thrown away", "?", "lost, again"];
const OPENED = Date.UTC(2011, 0, 4, 8);
const DAYS = 350;
const DAY = 24 * 3_600_000; // of UTC, where all days are of one length

/**
 * A small year of a wholesaler's books in the columns of the real one and with its dirt: returns, write-offs, services,
 * adjustments, lines without a customer, doubled lines, an invoice in two places, codes that differ in case, a customer
 * that moves, descriptions that change. The same seed makes the same text.
 */
export const sampleBooks = ({ seed = 1, lines = 2_000 } = {}): string => {
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;

  const products = Array.from({ length: 120 }, (_, i) => {
    const code = `${20_000 + Math.floor(i / 2) * 37}${["", "A", "b", "B"][i % 4]}`; // …b and …B are two products
    return { code, description: `${pick(WORDS)} ${pick(WORDS)} No ${i}${i % 9 === 0 ? ', "BOXED"' : ""}`, price: (1 + below(1_500)) / 100 };
  });
  const customers = Array.from({ length: 40 }, (_, i) => ({ id: String(12_400 + i * 13), country: COUNTRIES[i % COUNTRIES.length]! }));

  const rows: string[][] = [];
  const invoices: string[][][] = [];
  for (let n = 0; rows.length < lines - 12; n++) {
    const number = String(540_001 + n);
    const at = new Date(OPENED + Math.floor((rows.length / lines) * DAYS) * DAY + below(9 * 3_600) * 1_000).toISOString().slice(0, 19);
    const customer = pick(customers);
    if (n === 70) customers[3]!.country = "Spain";
    const nobody = n % 7 === 3;
    const buyer = nobody ? ["", "United Kingdom"] : [customer.id, customer.country];
    const row = (invoice: string, code: string, description: string, quantity: number, price: string) =>
      [invoice, code, description, String(quantity), at, price, ...buyer] as string[];

    const invoice = Array.from({ length: 1 + below(25) }, () => {
      const { code, description, price } = pick(products);
      const text = n > 80 && code.endsWith("A") ? `NEW ${description}` : description;
      return row(number, code, text, pick([1, 2, 6, 12, 24, 48]), n % 23 === 5 ? "0" : price.toFixed(2));
    });
    const [service, what, fee] = pick(SERVICES);
    if (n % 4 === 1) invoice.push(row(number, service, what, 1, fee));
    if (n % 5 === 2) invoice.push(invoice[0]!);
    invoices.push(invoice);
    rows.push(...invoice);

    if (n % 6 === 4) {
      const back = pick(pick(invoices));
      rows.push(row(`C${number}`, back[1]!, back[2]!, -Math.ceil(Number(back[3]) / 2), back[5]!));
      if (n % 12 === 4) rows.push(row(`C${number}`, "D", "Discount", -1, "27.50"));
    }
    if (n % 8 === 6) rows.push([`9${number}`, pick(products).code, pick(REMARKS), String(-1 - below(30)), at, "0", "", "United Kingdom"]);
    if (n === 40) for (const sign of ["", "-"]) rows.push(row(`A${number}${sign ? 1 : 0}`, "B", "Adjust bad debt", 1, `${sign}1062.06`));
    if (n === 50) rows.push(invoices[44]![0]!); // an invoice that stands in two places
  }
  return [COLUMNS as readonly string[], ...rows].map(csvLine).join("");
};

/** mulberry32: small, and the same on every machine. */
const generator = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
