import type { Context } from "moleculer";
import type { Meta } from "../../mixins/core/context.ts";
import { decimal, units } from "../../mixins/core/decimal.ts";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";
import type { Deal } from "./deals.domain.ts";
import type { Line, ReturnedLine } from "./deals.events.ts";
import { fromStock, reservationOf } from "./deals.lines.ts";

type Call = Context<unknown, Meta>;

/** What the inventory answers to one of many. */
interface Answer {
  id: string;
  ok: boolean;
  cost?: string;
  available?: string;
  reason?: string;
}

/** The caller's key and `If-Match` are about the deal, not about what it asks of others. */
const OWN = { idempotencyKey: undefined, ifVersion: undefined };
const SHOWN = 5; // lines that a refusal names

/** Not `ctx.call`, which merges the meta of what it called back into its own: the deal's own command would have lost its key. */
const callOther = <T>(ctx: Call, action: string, params: object): Promise<T> =>
  ctx.broker.call<T, object>(action, params, { parentCtx: ctx, meta: OWN });

const ask = async (ctx: Call, verb: string, items: object[]): Promise<Answer[]> => {
  if (items.length === 0) return [];
  const { items: answers } = await callOther<{ items: Answer[] }>(ctx, `v1.inventory.${verb}`, { items });
  return answers;
};

const goods = (id: string, deal: Deal) =>
  deal.lines.flatMap((line) => {
    const wanted = fromStock(line);
    if (wanted === 0n) return [];
    const { product, warehouse } = line;
    return {
      line,
      item: { id: reservationOf(id, deal.attempt, line.id), product, warehouse, quantity: decimal(wanted), askedAt: deal.askedAt },
    };
  });

/**
 * Reserves what the lines want beyond their sources; of a deal that has happened already it leaves at once. Throws `STOCK_SHORT` where any of it cannot be had; some may be held
 * then, or gone.
 */
export const reserve = async (ctx: Call, id: string, deal: Deal): Promise<Record<string, string>> => {
  const wanted = goods(id, deal);
  const answers = await ask(
    ctx,
    deal.book ? "takeMany" : "reserveMany",
    wanted.map(({ item }) => item),
  );
  const short = wanted.filter((_, i) => !answers[i]!.ok);
  if (short.length > 0) {
    const told = short.slice(0, SHOWN).map(({ line, item }) => {
      const { available, reason } = answers[wanted.findIndex((w) => w.line === line)]!;
      return `line ${line.id} wants ${item.quantity} of ${line.product}, ${available === undefined ? reason : `${available} free`}`;
    });
    throw new Rejected("STOCK_SHORT", `${told.join("; ")}${short.length > SHOWN ? `; and ${short.length - SHOWN} more lines` : ""}`);
  }
  return costsOf(wanted, answers);
};

/** Gives back all that a confirmation holds, or may hold. */
export const release = async (ctx: Call, id: string, deal: Deal): Promise<void> => {
  const held = goods(id, deal).map(({ item }) => item);
  requireAll(await ask(ctx, deal.book ? "giveBackMany" : "releaseMany", held), "RELEASE_FAILED");
};

/** Lets the reserved goods leave, line by line; those that have left already are not sent twice. */
export const issue = async (ctx: Call, id: string, deal: Deal): Promise<Record<string, string>> => {
  const reserved = goods(id, deal);
  const answers = await ask(
    ctx,
    "issueMany",
    reserved.map(({ item: { id, product, warehouse } }) => ({ id, product, warehouse })),
  );
  requireAll(answers, "ISSUE_FAILED");
  return costsOf(reserved, answers);
};

/** Puts what came back into stock. */
export const takeBack = async (ctx: Call, id: string, back: { id: string; lines: readonly ReturnedLine[] }): Promise<void> => {
  const items = back.lines
    .filter(({ kind }) => kind === "goods")
    .map(({ id: line, product, warehouse, quantity }) => ({ id: `${id}~r${back.id}~${line}`, product, warehouse, quantity }));
  requireAll(await ask(ctx, "takeBackMany", items), "TAKE_BACK_FAILED");
};

/** The lines whose stock is short now, as far as the inventory can be asked. */
export const shortage = async (ctx: Call, lines: readonly Line[]): Promise<{ line: string; product: string; available: string }[]> => {
  const wanted = lines.flatMap((line) =>
    fromStock(line) > 0n ? { line, item: { product: line.product, warehouse: line.warehouse } } : [],
  );
  if (wanted.length === 0) return [];
  try {
    const { items } = await callOther<{ items: { available: string }[] }>(ctx, "v1.inventory.available", {
      items: wanted.map(({ item }) => item),
    });
    return wanted.flatMap(({ line }, i) => {
      const { available } = items[i]!;
      return units(available) < fromStock(line) ? { line: line.id, product: line.product, available } : [];
    });
  } catch {
    return []; // a hint: who cannot be asked says nothing
  }
};

/** What each product is, where the caller did not say: as the products room has it, and goods where it cannot tell. */
export const kindsOf = async (
  ctx: Call,
  lines: readonly { product: string; kind?: "goods" | "service" }[],
): Promise<Map<string, "goods" | "service">> => {
  const unsaid = new Set<string>();
  for (const { product, kind } of lines) if (!kind) unsaid.add(product);
  if (unsaid.size === 0) return new Map();
  try {
    const { items } = await callOther<{ items: { id: string; kind: "goods" | "service" }[] }>(ctx, "v1.products.kinds", {
      ids: [...unsaid],
    });
    return new Map(items.map(({ id, kind }) => [id, kind]));
  } catch {
    return new Map();
  }
};

const costsOf = (wanted: { line: Line }[], answers: Answer[]) =>
  Object.fromEntries(wanted.map(({ line }, i) => [line.id, answers[i]!.cost ?? "0"]));

const requireAll = (answers: Answer[], code: string) => {
  const failed = answers.find(({ ok }) => !ok);
  if (failed) throw new Unavailable(code, `${failed.id}: ${failed.reason}`);
};
