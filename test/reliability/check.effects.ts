import type { Attempt, Journal, Op } from "./journal.ts";
import type { Inspected } from "./record.ts";

/** Refusals that a client of this traffic may get. Anything else says that the harness, or the system, is wrong. */
const REFUSALS = new Set([
  ...["DEAL_EXISTS", "DEAL_NOT_OPEN", "DEAL_NOT_CONFIRMED", "DEAL_NOT_FULFILLED", "DEAL_NOT_FOUND", "DEAL_CANCELLING", "DEAL_FULFILLED"],
  ...["LINE_NOT_FOUND", "RETURN_TOO_MUCH", "SOURCES_TOO_MANY", "VERSION_MISMATCH", "KEY_REUSED", "HISTORY_NOT_FOUND"],
  ...["STOCK_SHORT", "STOCK_NOT_FOUND", "RESERVATION_EXISTS", "RESERVATION_ISSUED", "RESERVATION_RELEASED", "RESERVATION_EXPIRED"],
  ...["RESERVATION_NOT_FOUND", "PICK_TOO_LARGE", "PICK_ID_MISSING"],
]);

/** No acknowledged write is lost, none is doubled, none that was refused is there. */
export const checkEffects = ({ concurrent, ...journal }: Pick<Journal, "attempts" | "concurrent">, record: Inspected): string[] => {
  const counts = countsOf(record);
  const breaches: string[] = [];
  for (const [op, attempts] of Map.groupBy(journal.attempts, ({ op }) => op)) {
    const say = (what: string) => breaches.push(`${named(op)}: ${what}; ${attempts.map(told).join(", ")}`);
    for (const { status, code, outcome } of attempts) {
      if (status >= 500 && status !== 503) say(`an answer of ${status} ${code}`);
      if (code === "NO_ANSWER") say("no answer");
      if (outcome === "refused" && !REFUSALS.has(code!)) say(`refused for ${code}`);
    }
    const did = attempts.map(({ outcome }) => outcome);
    const done = did.includes("done");
    if (op.never && done) say("its key came with another request before, and it was done");
    if (op.same && done && did.indexOf("done") < did.lastIndexOf("refused") && !concurrent.has(op)) say("was done, and then refused");
    if (op.effect) {
      const times = counts.get(op.effect) ?? 0;
      if (times > 1) say(`DOUBLED, it is there ${times} times`);
      if (done && times === 0 && !op.never) say("LOST, it was acknowledged and is not there");
      const final = op.never || (did.at(-1) === "refused" && (op.same || did.length === 1) && !concurrent.has(op));
      if (!done && final && times > 0) say("was refused, and is there");
    }
  }
  for (const [stream, commits] of Map.groupBy([...record.deals, ...record.stock], ({ stream }) => stream)) {
    const keys = commits.flatMap(({ once }) => once ?? []);
    for (const key of new Set(keys)) if (keys.filter((k) => k === key).length > 1) breaches.push(`${stream} has the key ${key} twice`);
    for (const [i, { version }] of commits.entries()) {
      if (version !== i + 1) breaches.push(`${stream} has version ${version} where ${i + 1} should follow`);
    }
  }
  return breaches;
};

export const named = (op: Op): string => `op ${op.n} ${op.kind} ${op.method} ${op.path}${op.key ? ` under ${op.key}` : ""}`;

const told = ({ outcome, status, code, node, client, began, ended }: Attempt) =>
  `${outcome} ${status}${code ? ` ${code}` : ""} of ${node} to client ${client} (${Math.round(began)}-${Math.round(ended)} ms)`;

/** What a commit did, in the words of `Op.effect`. */
export interface Effect {
  readonly effect: string;
  readonly stream: string;
  readonly version: number;
}

export const effectsIn = ({ deals, stock }: Pick<Inspected, "deals" | "stock">): Effect[] => [
  ...deals.flatMap(({ stream, version, events }) =>
    events.flatMap((event) => {
      const effect = (...words: string[]) => [{ effect: [event.type, ...words].join(":"), stream, version }];
      switch (event.type) {
        case "DealOpened":
        case "ReturnBooked":
        case "DealAmended":
          return effect(...(event.saleParty === undefined ? [] : [event.saleParty]));
        case "NoteAdded":
          return effect(event.text);
        case "SourceAdded":
          return effect(event.source.supplier);
        case "LinesReturned":
          return effect(stream, event.id);
        default:
          return [];
      }
    }),
  ),
  ...stock.flatMap(({ stream, version, events }) =>
    events.map((event) => {
      const more = event.type === "GoodsReserved" ? [event.quantity] : event.type === "GoodsIssued" ? [event.pick] : [];
      return { effect: [event.type, stream, event.id, ...more].join(":"), stream, version };
    }),
  ),
];

/** How often the record has each effect. */
const countsOf = (record: Inspected): Map<string, number> =>
  new Map(
    Array.from(
      Map.groupBy(effectsIn(record), ({ effect }) => effect),
      ([effect, all]) => [effect, all.length],
    ),
  );
