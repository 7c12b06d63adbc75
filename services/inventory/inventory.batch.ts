import { setImmediate as breathe } from "node:timers/promises";
import type { Context } from "moleculer";
import type { Actor } from "../../mixins/actor.mixin.ts";
import type { Meta } from "../../mixins/core/context.ts";
import type { Rejected } from "../../mixins/core/errors.ts";
import { decide, type Outcome, type Request, settledIn } from "./inventory.domain.ts";
import type { StockEvent } from "./inventory.events.ts";
import { type Recalled, recall, type Settled } from "./inventory.memory.ts";
import type { Stock } from "./inventory.stock.ts";

export type Inventory = Actor<Stock, StockEvent>;
type Call = Context<unknown, Meta>;

/** One of many: a movement or reservation by its own id, for one product in one warehouse. */
export interface Item {
  id: string;
  product: string;
  warehouse?: string;
  occurredAt?: number;
  pick?: string;
}

export interface Answer {
  id: string;
  ok: boolean;
  cost?: string;
  available?: string;
  reason?: string;
}

/** How an item becomes a request; movements say under which key the store recalls them, reservations that come many at a time are known by the stock itself. */
export interface Kind<T extends Item> {
  request: (item: T, now: number, recalled?: Recalled) => Request;
  key?: (item: T) => string;
  /** What is asked under the key: another request under it is refused. */
  asked?: (item: T) => string;
  /** What the stock, or its record, says of one that has a key, where it remembers it under another name. */
  known?: (stock: Stock, item: T, recalled?: Recalled) => Outcome | undefined;
}

export type Done = { readonly ok: true; readonly cost?: string } | { readonly ok: false; readonly refusal: Rejected };

export const MAIN = "main";
export const streamOf = (product: string, warehouse: string = MAIN): string => `${warehouse}~${product}`;

/** Decides many items, those of one stock in their order, and answers each: a refused one stops no other. What no answer can be had from rejects. */
export const runMany = async <T extends Item>(room: Inventory, ctx: Call, kind: Kind<T>, items: readonly T[]): Promise<Answer[]> =>
  (await settle(room, ctx, kind, items)).map((done, n) => toAnswer(items[n]!.id, done));

/** One item; throws what refuses it. Answers the cost of what moved, and the version of its stock that has it. `ifVersion`: only where the stock is at that. */
export const runOne = async <T extends Item>(
  room: Inventory,
  ctx: Call,
  kind: Kind<T>,
  item: T,
  ifVersion?: number,
): Promise<{ cost?: string; version: number }> => {
  const stream = streamOf(item.product, item.warehouse);
  const { results, version } = await settleRun(room, within(ctx, ifVersion), stream, kind, [item]);
  const [done] = results as [Done];
  if (!done.ok) throw done.refusal;
  return { cost: done.cost, version };
};

const settle = async <T extends Item>(room: Inventory, ctx: Call, kind: Kind<T>, items: readonly T[]): Promise<Done[]> => {
  const results: Done[] = new Array(items.length);
  const stocks = new Map<string, number[]>();
  for (const [n, { product, warehouse }] of items.entries()) {
    const stream = streamOf(product, warehouse);
    const mine = stocks.get(stream);
    if (mine) mine.push(n);
    else stocks.set(stream, [n]);
  }
  const call = within(ctx);
  await Promise.all(
    Array.from(stocks, async ([stream, mine]) => {
      for (let from = 0; from < mine.length; ) {
        const to = kind.key ? from + 1 : sameTime(items, mine, from);
        const run = mine.slice(from, to);
        const wanted = run.map((n) => items[n]!);
        const decided = await settleRun(room, call, stream, kind, wanted);
        for (const [i, done] of decided.results.entries()) results[run[i]!] = done;
        from = to;
      }
    }),
  );
  return results;
};

/** Items that happened at one time go into one commit, which has one such time. */
const sameTime = (items: readonly Item[], mine: readonly number[], from: number): number => {
  const to = mine.findIndex((n, i) => i > from && items[n]!.occurredAt !== items[mine[from]!]!.occurredAt);
  return to < 0 ? mine.length : to;
};

/** One commit on one stock, and then, one by one, what its memory was not sure of. */
const settleRun = async <T extends Item>(room: Inventory, ctx: Call, stream: string, kind: Kind<T>, run: readonly T[]) => {
  let { outcomes, version } = await commit(room, ctx, stream, kind, run);
  const results: Done[] = [];
  for (const [i, first] of outcomes.entries()) {
    const item = run[i]!;
    let outcome = first;
    while ("unsure" in outcome) {
      const recalled = { generation: outcome.unsure, settled: settledIn(await record(room, stream, item.id), item.id, item.pick) };
      ({ outcomes, version } = await commit(room, ctx, stream, kind, [item], recalled));
      outcome = outcomes[0]!;
    }
    results.push(outcome);
  }
  return { results, version };
};

const commit = async <T extends Item>(
  room: Inventory,
  ctx: Call,
  stream: string,
  kind: Kind<T>,
  run: readonly T[],
  recalled?: Recalled,
): Promise<{ outcomes: readonly Outcome[]; version: number }> => {
  const [{ occurredAt }] = run as [T];
  const key = kind.key?.(run[0]!) ?? null;
  const asked = kind.asked?.(run[0]!);
  let outcomes: readonly Outcome[] | undefined;
  const after = await room.act(
    ctx,
    stream,
    (stock) => {
      const now = Date.now();
      const requests = run.map((item) => kind.request(item, now, recalled));
      const decided = decide(stock, requests, now);
      outcomes = decided.outcomes; // a command may be decided more than once: the last time is the one that was stored
      return decided.events;
    },
    { occurredAt, key, asked },
  );
  const known = key && (kind.known?.(after, run[0]!, recalled) ?? moved(recall(after.settled, key)));
  if (known)
    outcomes = [known]; // also where it was refused here, while another process did it
  else if (kind.known && !outcomes) outcomes = [{ unsure: after.settled.generation }]; // what became of it since, the record knows
  return { outcomes: outcomes ?? [{ ok: true }], version: after.version }; // where only the store knows the key, it came before
};

const moved = (settled?: Settled): Outcome | undefined => settled && { ok: true, cost: settled.cost };

/** What the stream's record has under an id. It takes as long as the stream is, and is asked only for what a busy stock has forgotten. */
const record = async (room: Inventory, stream: string, id: string): Promise<StockEvent[]> => {
  const events: StockEvent[] = [];
  for (let after = 0; ; await breathe()) {
    const commits = await room.history(stream, after);
    const last = commits.at(-1);
    if (!last) return events;
    for (const commit of commits) events.push(...commit.events.filter((event) => event.id === id));
    after = last.version;
  }
};

/** The call without what it says of its caller's own stream: the key and, but where it is about this stock, the version that he has seen. */
const within = (ctx: Call, ifVersion?: number): Call =>
  Object.create(ctx, { meta: { value: { ...ctx.meta, idempotencyKey: undefined, ownKey: undefined, ifVersion } } });

const toAnswer = (id: string, done: Done): Answer => {
  if (done.ok) return done.cost === undefined ? { id, ok: true } : { id, ok: true, cost: done.cost };
  const { type, data } = done.refusal;
  const available = (data as { available?: string } | undefined)?.available;
  return available === undefined ? { id, ok: false, reason: type } : { id, ok: false, reason: type, available };
};
