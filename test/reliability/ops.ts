import type { Attempt, Journal, Kind, Op } from "./journal.ts";
import type { Random } from "./random.ts";

export const PRODUCTS = ["bolt", "nut", "0~gear~20x"] as const;
/** Stocks that no deal trades in: only clients move them, so what clients saw is all that happened. */
export const LEDGERS = ["ledger-a", "ledger-b"] as const;
export const WAREHOUSES = ["main", "north"] as const;
const COUNTRIES = ["United Kingdom", "EIRE"] as const;
const OF_LEDGERS: readonly Kind[] = ["receive", "writeOff", "reserve", "stock"];
const WINDOW = 24; // deals that are worked on at a time: few, so that clients meet

const WEIGHTS: Readonly<Record<Kind, number>> = {
  ...{ open: 12, amend: 6, note: 10, source: 5, confirm: 14, fulfil: 9, cancel: 5, return: 5, book: 6, takeBack: 2 },
  ...{ receive: 8, writeOff: 2, reserve: 6, release: 4, pick: 3, transfer: 3 },
  ...{ deal: 14, history: 2, stock: 6, list: 5, revenue: 3 },
};

/** What clients have in mind: deals and reservations that they know of, so that what they do meets. */
export class World {
  readonly deals: string[] = [];
  readonly reservations: { id: string; stock: string }[] = [];
  readonly versions = new Map<string, number>();
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  learn({ op, outcome, answer }: Attempt) {
    if (outcome !== "done" || op.kind === "history") return;
    const deal = op.deal ?? (op.kind === "open" ? answer.id : undefined);
    if (deal === undefined || typeof answer.version !== "number") return;
    if (!this.versions.has(deal)) this.deals.push(deal);
    if (this.deals.length > WINDOW) this.deals.shift();
    this.versions.set(deal, answer.version);
  }

  /** What a client does next. */
  op(random: Random): Op {
    const n = this.#journal.next();
    let kind = random.weighted(WEIGHTS);
    if (this.deals.length === 0 && this.needsDeal(kind)) kind = "open";
    if (this.reservations.length === 0 && (kind === "release" || kind === "pick")) kind = "reserve";
    return { n, kind, ...this.#make(kind, n, random) };
  }

  needsDeal(kind: Kind): boolean {
    return ["amend", "note", "source", "confirm", "fulfil", "cancel", "return", "deal", "history"].includes(kind);
  }

  #make(kind: Kind, n: number, random: Random): Omit<Op, "n" | "kind"> {
    const post = { method: "POST" } as const;
    const keyed = random.chance(0.7) ? { key: `key-${n}`, repeatable: true, same: true } : {};
    const deal = this.deals.length > 0 ? random.pick(this.deals) : "";
    const onDeal = { ...post, deal };
    const at = `/deals/${deal}`;
    const ledger = OF_LEDGERS.includes(kind) && random.chance(0.4);
    const product = random.pick(ledger ? LEDGERS : PRODUCTS);
    const warehouse = ledger || random.chance(0.85) ? WAREHOUSES[0] : WAREHOUSES[1];
    const stock = `${warehouse}~${product}`;
    const onStock = { ...post, stock, repeatable: true, same: true };
    const quantity = amount(random);
    const id = `m${n}`;
    switch (kind) {
      case "open": {
        const named = random.chance(0.5);
        const body = { ...(named && { id: `d${n}` }), ...header(n, random), lines: lines(n, random) };
        const own = { ...post, path: "/deals", body, effect: `DealOpened:${body.saleParty}` };
        return named ? { ...own, deal: `d${n}`, ...(random.chance(0.5) ? keyed : { repeatable: true }) } : { ...own, ...keyed };
      }
      case "amend": {
        const saleParty = `p${n}`;
        const body = random.chance(0.6) ? { saleParty, lines: lines(n, random) } : { saleParty };
        const own = {
          method: "PATCH",
          deal,
          path: at,
          body,
          ifMatch: this.versions.get(deal)!,
          effect: `DealAmended:${saleParty}`,
        } as const;
        return { ...own, ...keyed };
      }
      case "note":
        return { ...onDeal, path: `${at}/notes`, body: { text: `n${n}` }, effect: `NoteAdded:n${n}`, ...keyed };
      case "source": {
        const body = { supplier: `s${n}`, quantity: "0.1", cost: "1.1" };
        return { ...onDeal, path: `${at}/lines/a/sources`, body, effect: `SourceAdded:s${n}`, ...keyed };
      }
      case "confirm": // one that found the deal being confirmed did nothing: when it comes again, the deal may have been reopened and cancelled
        return { ...onDeal, path: `${at}/confirm`, body: {}, ...keyed, same: false };
      case "fulfil":
        return { ...onDeal, path: `${at}/fulfil`, body: {}, ...keyed };
      case "cancel":
        return { ...onDeal, path: `${at}/cancel`, body: { reason: `c${n}` }, ...keyed };
      case "return": {
        const body = { return: `r${n}`, date: day(random), lines: [{ line: "a", quantity: "0.5" }] };
        return { ...onDeal, path: `${at}/returns`, body, effect: `LinesReturned:${deal}:r${n}`, repeatable: true, same: true };
      }
      case "book": {
        const body = { id: `d${n}`, ...header(n, random), lines: lines(n, random) };
        const own = { ...post, deal: `d${n}`, path: "/deals/book", body, effect: `DealOpened:${body.saleParty}` };
        return { ...own, repeatable: true }; // one that stayed open may have been amended: then it is another deal's id
      }
      case "takeBack": {
        const body = { id: `d${n}`, ...header(n, random), lines: [{ product, warehouse, quantity, rate: "2.5", kind: "goods" }] };
        const own = { ...post, deal: `d${n}`, path: "/deals/returns", body, effect: `ReturnBooked:${body.saleParty}` };
        return { ...own, repeatable: true, same: true };
      }
      case "receive": {
        const body = {
          ...((ledger || random.chance(0.7)) && { id }),
          warehouse,
          quantity: String(random.int(1, 30)),
          cost: String(random.int(1, 9)),
        };
        if (body.id) return { ...onStock, path: `/inventory/${product}/receipts`, body, effect: `GoodsReceived:${stock}:${id}` };
        return { ...post, stock, path: `/inventory/${product}/receipts`, body, key: `key-${n}`, repeatable: true, same: true };
      }
      case "writeOff":
        return {
          ...onStock,
          path: `/inventory/${product}/write-offs`,
          body: { id, warehouse, quantity },
          effect: `GoodsWrittenOff:${stock}:${id}`,
        };
      case "reserve": {
        const lapses = !ledger && random.chance(0.3) && { until: new Date(Date.now() + random.int(20, 2_000)).toISOString() };
        this.reservations.push({ id, stock });
        if (this.reservations.length > WINDOW) this.reservations.shift();
        const body = { id, warehouse, quantity, ...lapses };
        return {
          ...{ ...post, stock, repeatable: true, path: `/inventory/${product}/reservations`, body },
          effect: `GoodsReserved:${stock}:${id}:${quantity}`,
        };
      }
      case "release":
      case "pick": {
        const reserved = random.pick(this.reservations);
        const [warehouse, product] = split(reserved.stock);
        const part = kind === "pick" && random.chance(0.5) && { quantity: "0.5", pick: id };
        const path = `/inventory/${product}/reservations/${reserved.id}/${kind}`;
        const own = { ...onStock, stock: reserved.stock, path, body: { warehouse, ...part } };
        return part ? { ...own, effect: `GoodsIssued:${reserved.stock}:${reserved.id}:${id}` } : own;
      }
      case "transfer": {
        const to = WAREHOUSES[warehouse === "main" ? 1 : 0];
        const body = { id, from: warehouse, to, quantity };
        return { ...onStock, path: `/inventory/${product}/transfers`, body, effect: `TransferSent:${stock}:${id}` };
      }
      case "deal":
        return { method: "GET", deal, path: at };
      case "history":
        return { method: "GET", deal, path: `${at}/history?limit=200` };
      case "stock":
        return { method: "GET", stock, path: `/inventory/${product}?warehouse=${warehouse}` };
      case "list": {
        const seen = deal && random.chance(0.5) ? `&seen=${deal}@${this.versions.get(deal)}` : "";
        return { method: "GET", path: `/deals?limit=200${random.chance(0.5) ? "&status=confirmed" : ""}${seen}` };
      }
      case "revenue":
        return { method: "GET", path: `/analytics/revenue?by=${random.pick(["month", "country", "product"])}` };
    }
  }

  /** The key of an op that was done, with another request: it must be refused, for good. */
  reuse({ key, deal }: Op): Op {
    const n = this.#journal.next();
    const own = { n, kind: "note", method: "POST", deal, path: `/deals/${deal}/notes`, body: { text: `n${n}` } } as const;
    return { ...own, key, effect: `NoteAdded:n${n}`, never: true };
  }
}

const split = (stock: string): [warehouse: string, product: string] => {
  const at = stock.indexOf("~");
  return [stock.slice(0, at), stock.slice(at + 1)];
};

const day = (random: Random) => `2011-0${random.int(1, 3)}-0${random.int(1, 4)}`;
const amount = (random: Random) => random.pick(["0.5", "1", "2", "3.25", "7"]);

/** The party is the op's own, by which its effect is known. */
const header = (n: number, random: Random) => ({
  ...{ saleParty: `p${n}`, country: random.pick(COUNTRIES), currency: random.pick(["GBP", "EUR"]), date: day(random) },
});

/** One to four lines, of which the first is called `a`; some name a product twice, some bring sources of their own. */
const lines = (n: number, random: Random) => {
  const line = (id?: string) => {
    const service = random.chance(0.1);
    const quantity = amount(random);
    const sources = random.chance(0.3) ? [{ supplier: `s${n}`, quantity: "0.25", cost: "0.9" }] : [];
    const goods = { product: random.pick(PRODUCTS), warehouse: random.chance(0.9) ? "main" : "north", kind: "goods", sources };
    return { ...(id && { id }), quantity, rate: "2.55", ...(service ? { product: "post", kind: "service" } : goods) };
  };
  return [line("a"), ...Array.from({ length: random.int(0, 3) }, () => line())];
};
