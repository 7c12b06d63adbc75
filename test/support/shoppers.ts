import type { TestContext } from "node:test";
import { counting, type Send, type Told } from "./traders.ts";

const EVERY = 20; // milliseconds

/** What many do with the system at once: they look at deals most of the time, and some open, note, amend and confirm them. */
export interface Stall {
  readonly products: readonly string[];
  readonly customers: readonly string[];
  /** Whether deals can be rated yet. */
  rates(): boolean;
}

/**
 * Requests at a rate, whoever is slow: 86 of 100 read (deals, their list, stocks, customers), 14 write. Every answer that is not a
 * success is a failure.
 */
export const shoppers = (t: TestContext, send: Send, perSecond: number, { products, customers, rates }: Stall) => {
  const opened: string[] = [];
  const confirmed: string[] = [];
  const noted = new Map<string, number>();
  const rated = new Map<string, number>();
  const open = new Set<Promise<unknown>>();
  let made = 0;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
  const { ask, counted } = counting(send);
  const deal = async () => {
    const id = `d-${made++}`;
    const lines = [{ product: pick(products), kind: "goods", quantity: "1", rate: "3" }];
    const { status, json } = await ask("POST", "/api/v1/deals", { id, saleParty: pick(customers), currency: "GBP", lines, hint: false });
    const shown = () => void (status === 201 && opened.push(id)); // from now on others look at it, and put notes on it
    return { path: `/api/v1/deals/${id}`, id, version: json.version, shown };
  };
  const count = (counts: Map<string, number>, id: string, { status }: Told) => {
    if (status === 200) counts.set(id, (counts.get(id) ?? 0) + 1);
  };
  /** One of a hundred, by its number. */
  const act = async (n: number) => {
    if (opened.length === 0 || n < 4) return (await deal()).shown();
    const id = pick(opened);
    if (n < 9) return count(noted, id, await ask("POST", `/api/v1/deals/${id}/notes`, { text: `note ${n}` }));
    if (n === 9) {
      const { path, version, shown } = await deal();
      await ask("PATCH", path, { country: "EIRE" }, { "If-Match": `"${version}"` });
      return shown();
    }
    if (n === 10) {
      const { path, id, shown } = await deal();
      await ask("POST", `${path}/confirm`, {});
      shown();
      return confirmed.push(id);
    }
    if (n === 11 && rates()) return count(rated, id, await ask("POST", `/api/v1/deals/${id}/rating`, { stars: 5 }));
    if (n < 20) return ask("GET", `/api/v1/inventory/${pick(products)}`);
    if (n < 30) return ask("GET", `/api/v1/customers/${pick(customers)}`);
    if (n < 34) return ask("GET", "/api/v1/deals?limit=5");
    return ask("GET", `/api/v1/deals/${id}`);
  };
  const began = performance.now();
  let acts = 0;
  const timer = setInterval(() => {
    for (; acts < ((performance.now() - began) * perSecond) / 1_000; acts++) {
      const acting = act(Math.floor(Math.random() * 100)).finally(() => open.delete(acting));
      open.add(acting);
    }
  }, EVERY);
  t.after(() => clearInterval(timer));
  return {
    answered: () => counted.answered,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { ...counted, confirmed, noted, rated };
    },
  };
};
