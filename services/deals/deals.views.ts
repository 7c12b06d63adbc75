import { negate } from "../../mixins/core/decimal.ts";
import type { Projection } from "../../mixins/view.sink.ts";
import type { DealEvent, Header, Keeping } from "./deals.events.ts";
import { amountOfAll } from "./deals.shown.ts";

/** A deal as lists show it. */
export interface Summary extends Header, Keeping {
  id: string;
  version: number;
  status: "open" | "confirming" | "confirmed" | "fulfilled" | "cancelled" | "returned";
  lines: number;
  amount: string;
  /** By which the list finds it; not shown. */
  products: string[];
}

type Change = Partial<Omit<Summary, "id" | "version">>;

const change = (deal: Summary | undefined, version: number, change: Change): Summary | undefined => deal && { ...deal, ...change, version };

const productsOf = (lines: readonly { product: string }[]) => [...new Set(lines.map(({ product }) => product))];

/** The list of deals, by date. */
export const dealList: Projection<Summary, DealEvent> = {
  name: "deals",
  number: 3,
  source: "deals",
  columns: {
    status: (deal) => deal.status,
    party: (deal) => deal.saleParty,
    date: (deal) => deal.date,
    owner: (deal) => deal.owner ?? "",
    team: (deal) => deal.team ?? "",
  },
  many: { product: (deal) => deal.products },
  order: "date",
  show: ({ products, ...deal }) => deal,
  indexes: [["status"], ["party"], ["owner"], ["team"]],
  on: {
    DealOpened: (_, { saleParty, country, currency, date, owner, team, lines }, { stream: id, version }) => ({
      ...{ id, version, status: "open", saleParty, country, currency, date, ...(owner && { owner }), ...(team && { team }) },
      ...{ lines: lines.length, amount: amountOfAll(lines), products: productsOf(lines) },
    }),
    DealAmended: (deal, { type, lines, ...header }, { version }) =>
      change(deal, version, { ...header, ...(lines && { lines: lines.length, amount: amountOfAll(lines), products: productsOf(lines) }) }),
    DealAssigned: (deal, { owner, team }, { version }) => change(deal, version, { owner, team }),
    SourceAdded: (deal, _, { version }) => change(deal, version, {}),
    NoteAdded: (deal, _, { version }) => change(deal, version, {}),
    ConfirmationStarted: (deal, _, { version }) => change(deal, version, { status: "confirming" }),
    ConfirmationFailed: (deal, _, { version }) => change(deal, version, { status: "open" }),
    DealConfirmed: (deal, _, { version }) => change(deal, version, { status: "confirmed" }),
    CancellationRequested: (deal, _, { version }) => change(deal, version, {}),
    DealCancelled: (deal, _, { version }) => change(deal, version, { status: "cancelled" }),
    FulfilmentStarted: (deal, _, { version }) => change(deal, version, {}),
    DealFulfilled: (deal, _, { version }) => change(deal, version, { status: "fulfilled" }),
    LinesReturned: (deal, _, { version }) => change(deal, version, {}),
    ReturnBooked: (_, { saleParty, country, currency, date, lines }, { stream: id, version }) => ({
      ...{ id, version, status: "returned", saleParty, country, currency, date },
      ...{ lines: lines.length, amount: negate(amountOfAll(lines)), products: productsOf(lines) },
    }),
    ReturnReceived: (deal, _, { version }) => change(deal, version, {}),
  },
};
