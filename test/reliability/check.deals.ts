import { decimal, units } from "../../mixins/core/decimal.ts";
import { type Deal, dealModel } from "../../services/deals/deals.domain.ts";
import { fromStock, reservationOf } from "../../services/deals/deals.lines.ts";
import { begins } from "../../services/deals/deals.saga.ts";
import { named } from "./check.effects.ts";
import { type Ledger, ledgersOf } from "./check.stock.ts";
import type { Journal } from "./journal.ts";
import type { Inspected } from "./record.ts";

/** Every saga has ended, each deal holds in stock what it says, and no reservation stands without its deal. */
export const checkDeals = (journal: Pick<Journal, "attempts">, record: Inspected): string[] => [
  ...checkSagas(record),
  ...checkHoldings(journal, record),
  ...checkWishes(journal, record),
];

const checkSagas = ({ deals, sagas }: Inspected): string[] => {
  const breaches: string[] = [];
  const byId = new Map(sagas.map((saga) => [saga.id, saga]));
  for (const { id, status } of sagas) if (status !== "completed" && status !== "undone") breaches.push(`saga ${id} is ${status}`);
  for (const { stream, events } of deals) {
    for (const event of events) {
      const begun = begins(event, stream);
      if (begun && !byId.has(begun.id)) breaches.push(`saga ${begun.id} was begun by ${event.type}, and never started`);
    }
  }
  const confirmed = new Set<string>();
  const refused = new Set<string>();
  for (const [stream, commits] of Map.groupBy(deals, ({ stream }) => stream)) {
    let deal = dealModel.initial;
    for (const event of commits.flatMap(({ events }) => events)) {
      const name = `${stream}~${deal.attempt}`;
      if (event.type === "DealConfirmed" && confirmed.size === confirmed.add(name).size) breaches.push(`${name} was confirmed twice`);
      // a saga whose deal was confirmed, and cancelled before its own record said so, finds it cancelled and undoes nothing
      if (event.type === "ConfirmationFailed" || event.type === "DealCancelled") refused.add(name);
      deal = dealModel.evolve(deal, event);
    }
  }
  for (const { id, saga, status } of sagas) {
    const name = id.slice(saga.length + 1);
    if (saga !== "confirm") continue;
    if (!(status === "completed" ? confirmed : refused).has(name)) breaches.push(`saga ${id} is ${status}, and its deal does not say so`);
  }
  return breaches;
};

const checkHoldings = (journal: Pick<Journal, "attempts">, { deals, stock }: Inspected): string[] => {
  const breaches: string[] = [];
  const ledgers = ledgersOf(stock);
  const live = new Map([...ledgers.values()].flatMap(({ stream, held }) => Array.from(held, ([id, n]) => [`${stream} ${id}`, n] as const)));
  for (const [id, commits] of Map.groupBy(deals, ({ stream }) => stream)) {
    const deal = commits.flatMap(({ events }) => events).reduce(dealModel.evolve, dealModel.initial);
    if (deal.status === "confirming" || deal.fulfilling)
      breaches.push(`${id} is still ${deal.fulfilling ? "being fulfilled" : deal.status}`);
    if (deal.cancelling !== undefined && deal.status !== "cancelled") breaches.push(`${id} is being cancelled, and is ${deal.status}`);
    breaches.push(...holdingsOf(id, deal, ledgers, live));
  }
  const own = new Set(journal.attempts.flatMap(({ op }) => (op.kind === "reserve" ? `${op.stock} ${op.body!.id}` : [])));
  for (const [place, quantity] of live) {
    if (quantity > 0n && !own.has(place)) breaches.push(`${place} holds ${decimal(quantity)} for no deal`);
  }
  return breaches;
};

/** What one deal must hold, have taken and have given back; takes what it may hold out of `live`. */
const holdingsOf = (id: string, deal: Deal, ledgers: Map<string, Ledger>, live: Map<string, bigint>): string[] => {
  const breaches: string[] = [];
  const same = (what: string, is: bigint | undefined, should: bigint) => {
    if ((is ?? 0n) !== should) breaches.push(`${id} is ${deal.status}: ${what} is ${decimal(is ?? 0n)}, not ${decimal(should)}`);
  };
  for (const line of deal.lines) {
    const stream = `${line.warehouse}~${line.product}`;
    const reservation = reservationOf(id, deal.attempt, line.id);
    const wanted = fromStock(line);
    const place = `${stream} ${reservation}`;
    same(`what is reserved as ${place}`, live.get(place), deal.status === "confirmed" ? wanted : 0n);
    const ledger = ledgers.get(stream);
    const back = [reservation, `${reservation}~~1`].reduce((sum, id) => sum + (ledger?.returned.get(id) ?? 0n), 0n); // at two costs next to each other
    const left = (ledger?.issued.get(reservation) ?? 0n) - back;
    same(`what left as ${place}`, left, deal.status === "fulfilled" ? wanted : 0n);
    live.delete(place);
  }
  for (const { id: back, lines, received } of deal.returns) {
    if (!received) breaches.push(`${id}: the return ${back} is still on its way`);
    for (const { id: line, product, warehouse, kind, quantity } of lines) {
      if (kind === "service") continue;
      const movement = `${id}~r${back}~${line}`;
      same(`what came back as ${movement}`, ledgers.get(`${warehouse}~${product}`)?.returned.get(movement), units(quantity));
    }
  }
  return breaches;
};

/** What was acknowledged as a wish is fulfilled in the end. */
const checkWishes = ({ attempts }: Pick<Journal, "attempts">, { deals, stock }: Inspected): string[] => {
  const breaches: string[] = [];
  const states = new Map(
    Array.from(
      Map.groupBy(deals, ({ stream }) => stream),
      ([id, commits]) => [id, commits.flatMap(({ events }) => events).reduce(dealModel.evolve, dealModel.initial)],
    ),
  );
  const ledgers = ledgersOf(stock);
  for (const { op, outcome, answer } of attempts) {
    if (outcome !== "done") continue;
    const status = op.deal && states.get(op.deal)?.status;
    const wish = op.kind === "cancel" ? "cancelled" : op.kind === "fulfil" ? "fulfilled" : undefined;
    if (wish && status !== wish) breaches.push(`${named(op)} was acknowledged, and the deal is ${status}`);
    if (op.kind === "book" && answer.status === "fulfilled" && status !== "fulfilled") breaches.push(`${named(op)}: the deal is ${status}`);
    if (op.kind !== "release" && !(op.kind === "pick" && op.body!.quantity === undefined)) continue;
    const reservation = op.path.split("/").at(-2)!;
    if (ledgers.get(op.stock!)?.held.get(reservation)) breaches.push(`${named(op)} was acknowledged, and ${reservation} still holds goods`);
  }
  return breaches;
};
