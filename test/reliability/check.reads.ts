import { isDeepStrictEqual } from "node:util";
import type { DomainEvent, Model, Versioned } from "../../mixins/core/model.ts";
import { toRecorded } from "../../mixins/record.actions.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";
import { dealModel } from "../../services/deals/deals.domain.ts";
import { shown } from "../../services/deals/deals.shown.ts";
import { stockModel } from "../../services/inventory/inventory.stock.ts";
import { toFullAnswer } from "../../services/inventory/inventory.views.ts";
import { named } from "./check.effects.ts";
import type { Attempt, Journal } from "./journal.ts";
import type { Inspected } from "./record.ts";

/** One state that a client was shown: of what, at which version, and all that was said of it. */
export interface Sight {
  attempt: Attempt;
  of: string;
  /** In a list, which is a moment behind. */
  listed?: true;
  version: number;
  said: unknown;
  /** What the record makes of that version. */
  expected: (version: number) => unknown;
}

/** All that clients were shown. */
export const sightsOf = ({ attempts }: Pick<Journal, "attempts">, record: Inspected): Sight[] => {
  const deals = history(record.deals, dealModel, (deal) => plain(shown(deal)));
  const stocks = history(record.stock, stockModel, (stock) => plain(toFullAnswer(stock, 0)));
  const histories = Map.groupBy(record.deals, ({ stream }) => stream);
  return attempts.flatMap((attempt): Sight[] => {
    const { op, outcome, answer } = attempt;
    if (outcome !== "done") return [];
    switch (op.kind) {
      case "list":
        return answer.items.map((row) => {
          const { id, version } = row;
          return { attempt, of: `the list's ${id}`, listed: true, version, said: row, expected: (v) => summary(deals(id, v)) };
        });
      case "history": {
        const commits = histories.get(op.deal!) ?? [];
        const expected = (version: number) => plain(commits.slice(0, version).map(toRecorded));
        return [{ attempt, of: op.deal!, version: answer.items.length, said: answer.items, expected }];
      }
      case "book":
      case "takeBack": {
        const expected = (v: number) => brief(deals(op.deal!, v));
        return [{ attempt, of: op.deal!, version: answer.version, said: answer, expected }];
      }
      case "revenue":
        return []; // what it adds up to is held against the record in the end
      case "stock":
        if (answer.version === undefined) return []; // shows a moment that no version has
        return [{ attempt, of: op.stock!, version: answer.version, said: answer, expected: (v) => stocks(op.stock!, v) }];
      default: {
        if (!answer.status) return []; // says nothing of a state
        const { short, ...said } = answer;
        return [{ attempt, of: said.id, version: said.version, said, expected: (v) => deals(said.id, v) }];
      }
    }
  });
};

/** No read goes back, and none shows what was never stored. */
export const checkReads = ({ attempts }: Pick<Journal, "attempts">, record: Inspected, behind = 0): string[] => {
  const sights = sightsOf({ attempts }, record);
  const breaches: string[] = [];
  for (const { attempt, of, version, said, expected } of sights) {
    const found = expected(version);
    if (isDeepStrictEqual(said, found)) continue;
    const what = found === undefined ? "was never stored" : `is ${JSON.stringify(found)} in the record`;
    breaches.push(`${named(attempt.op)} of ${attempt.node} showed ${of}@${version} as ${JSON.stringify(said)}, which ${what}`);
  }
  for (const [of, seen] of Map.groupBy(sights, ({ of }) => of)) breaches.push(...goingBack(of, seen, seen[0]!.listed ? behind : 0));
  for (const { op, outcome, answer } of attempts) {
    const [, id, version] = /&seen=(.+)@(\d+)$/.exec(op.path) ?? [];
    if (!id || outcome !== "done" || op.path.includes("status=")) continue;
    const row = answer.items.find((item) => item.id === id);
    const full = answer.items.length === 200; // then it may stand on a later page
    if (row ? row.version < Number(version) : !full) breaches.push(`${named(op)} shows ${id} at ${row?.version ?? "no version"}`);
  }
  return breaches;
};

/** Whoever asks after somebody was answered, or `behind` milliseconds later, is shown no less than he was. */
const goingBack = (of: string, sights: Sight[], behind: number): string[] => {
  const byEnd = sights.toSorted((a, b) => a.attempt.ended - b.attempt.ended);
  const breaches: string[] = [];
  let latest: Sight | undefined;
  let next = 0;
  for (const sight of sights.toSorted((a, b) => a.attempt.began - b.attempt.began)) {
    for (; byEnd[next] && byEnd[next]!.attempt.ended + behind < sight.attempt.began; next++) {
      if (!latest || byEnd[next]!.version > latest.version) latest = byEnd[next];
    }
    if (!latest || sight.version >= latest.version) continue;
    const [now, before] = [sight.attempt, latest.attempt];
    breaches.push(
      `${of} went back from ${latest.version} (${named(before.op)} of ${before.node}) to ${sight.version} (${named(now.op)} of ${now.node}, ${Math.round(now.began - before.ended)} ms later)`,
    );
  }
  return breaches;
};

/** The states of a record's streams by version, as the API shows them; undefined for a version that it has not. */
const history = <S, E extends DomainEvent, T>(commits: Logged<E>[], model: Model<S, E>, show: (state: Versioned<S>) => T) => {
  const streams = Map.groupBy(commits, ({ stream }) => stream);
  const kept = new Map<string, T[]>();
  return (id: string, version: number): T | undefined => {
    let states = kept.get(id);
    if (!states) {
      let state = model.initial;
      states = (streams.get(id) ?? []).map((commit) => {
        state = commit.events.reduce(model.evolve, state);
        return show({ ...state, id, version: commit.version });
      });
      kept.set(id, states);
    }
    return states[version - 1];
  };
};

/** As it comes over HTTP. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** A deal as lists show it. */
export const summary = (deal: ReturnType<typeof shown> | undefined): Record<string, unknown> | undefined => {
  if (!deal) return undefined;
  const { id, version, status, saleParty, country, currency, date, owner, team, amount } = deal;
  const { lines } = status === "returned" ? deal.returns[0]! : deal;
  return {
    id,
    version,
    status,
    saleParty,
    country,
    currency,
    date,
    ...(owner && { owner }),
    ...(team && { team }),
    lines: lines.length,
    amount,
  };
};

const brief = (deal: Record<string, unknown> | undefined) => {
  if (!deal) return undefined;
  const { id, version, status, refused } = deal;
  return { id, version, status, ...(refused !== undefined && { refused }) };
};

/** Every deal as it is in the end. */
export const finalDeals = ({ deals }: Inspected): ReturnType<typeof shown>[] =>
  Array.from(
    Map.groupBy(deals, ({ stream }) => stream),
    ([id, commits]) => {
      const state = commits.flatMap(({ events }) => events).reduce(dealModel.evolve, dealModel.initial);
      return shown({ ...state, id, version: commits.length });
    },
  );
