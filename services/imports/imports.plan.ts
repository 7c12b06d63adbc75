import { decimal, units } from "../../mixins/core/decimal.ts";
import { BadLine, copyOf, type Line, UNKNOWN } from "./imports.mapping.ts";

interface Invoice {
  lines: number;
  readonly party: string;
  readonly country: string;
}

interface Product {
  readonly code: string;
  goods: boolean;
  /** Descriptions in the order in which they were last used, those of priced lines and the others. */
  readonly priced: Set<string>;
  readonly free: Set<string>;
  latest?: string;
  /** All that leaves the stock, in 10⁻⁸. */
  leaves: bigint;
}

/**
 * What only the whole file tells, known before the first room is called: how many lines an invoice has wherever they
 * stand, what products and customers there are, and how much of each must have been there to be sold.
 */
export class Plan {
  lines = 0;
  /** The day of the earliest line: when the stock was opened. */
  firstDay = "9999-12-31";
  readonly invoices = new Map<string, Invoice>();
  readonly #products = new Map<string, Product>();
  readonly #countries = new Map<string, string>();

  /** Takes a line in. Throws `BadLine` where it does not belong to its invoice. */
  add(line: Line) {
    const { product: id, invoice: number, party, country } = line;
    const invoice = this.invoices.get(number);
    if (invoice) this.check(line);
    else this.invoices.set(number, { lines: 0, party, country });
    this.invoices.get(number)!.lines++;
    this.lines++;
    if (line.day < this.firstDay) this.firstDay = line.day;
    this.#countries.set(party, country);

    const product = this.#products.get(id) ?? { code: line.code, goods: false, priced: new Set(), free: new Set(), leaves: 0n };
    this.#products.set(id, product);
    product.goods ||= line.goods;
    if (line.kind !== "write-off" && line.description !== "") describe(product, line);
    if (line.goods && line.kind !== "return") product.leaves += units(line.quantity);
  }

  /** Throws `BadLine` where the line's invoice was first seen with another customer or country. */
  check({ invoice: number, party, country }: Line) {
    const invoice = this.invoices.get(number);
    if (!invoice || invoice.party !== party || invoice.country !== country) {
      throw new BadLine(`invoice ${number} began with another customer or country`);
    }
  }

  /** As `v1.products.saveMany` takes them. */
  products() {
    return [...this.#products].map(([id, { code, goods, priced, free }]) => {
      // What stands on lines without a price is often a remark ("check", "found"): it describes only what nothing else does.
      const texts = priced.size > 0 ? [...priced] : [...free].slice(-1);
      const description = texts.pop() ?? code;
      return { id, code, description, descriptions: texts, unit: "pcs", kind: goods ? ("goods" as const) : ("service" as const) };
    });
  }

  /** As `v1.customers.saveMany` takes them; of one that moved, the country where it was last. */
  customers() {
    return [...this.#countries].map(([id, country]) =>
      id === UNKNOWN
        ? { id, name: "Unknown customer", country: "Unspecified", tags: ["unknown"] }
        : { id, name: `Customer ${id}`, country, tags: ["imported"] },
    );
  }

  /**
   * As `v1.inventory.receiveMany` takes them: what was sold or written off must have been there. Its cost is 0, for the
   * file tells none. `digest` is the file's: another file's opening stock comes on top, the same file's does not come twice.
   */
  receipts(digest: string) {
    const occurredAt = Temporal.Instant.from(`${this.firstDay}T00:00Z`).epochMilliseconds;
    return [...this.#products]
      .filter(([, { leaves }]) => leaves > 0n)
      .map(([product, { leaves }]) => ({ id: `opening~${digest}`, product, quantity: decimal(leaves), cost: "0", occurredAt }));
  }
}

const describe = (product: Product, { rate, description }: Line) => {
  if (description === product.latest) return;
  const texts = rate === "0" ? product.free : product.priced;
  const text = texts.delete(description) ? description : copyOf(description);
  texts.add(text);
  if (rate !== "0") product.latest = text;
};
