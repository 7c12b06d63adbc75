import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { vouchFor } from "../../mixins/trust/operator.ts";

/** A call to a room. `occurredAt`: when it happened, in epoch milliseconds, where the items do not say it themselves. */
export type Call = (action: string, params: object, occurredAt?: number) => Promise<unknown>;

const USER = { id: "import", roles: ["admin"] }; // whoever starts it can write the stores by hand
const TIMEOUT = 60_000;
const PATIENCE = 120_000;

/** Calls rooms through a broker, patiently. */
export const callThrough =
  (broker: ServiceBroker): Call =>
  (action, params, occurredAt) =>
    patiently(async () => {
      await vouchFor(USER);
      return broker.call(action, params, { meta: { user: USER, occurredAt }, timeout: TIMEOUT });
    });

/** Something has begun and is not done, in this process or another: ask again. */
export class NotYet extends Error {
  readonly code = 503;
}

/** What is not to be had now is asked for again, under the same ids, for two minutes; what is refused is thrown as it comes. */
export const patiently = async <T>(ask: () => Promise<T>): Promise<T> => {
  const start = performance.now();
  for (let wait = 20; ; wait = Math.min(wait * 2, 2_000)) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || performance.now() - start > PATIENCE) throw error;
      await delay(wait * (0.5 + Math.random()));
    }
  }
};

/** `Unavailable`, `Conflict` or an answer that did not come; a room that does not run (404) does not come by waiting. */
const isPassing = (error: unknown) => [409, 503, 504].includes((error as { code?: number }).code ?? 0);

/** A refusal is about what was sent; everything else is about the system, and ends the import. */
export const isRefusal = (error: unknown): error is Error & { type?: string } => {
  const { code = 0, type } = error as { code?: number; type?: string };
  return code >= 400 && code < 500 && code !== 409 && code !== 429 && type !== "SERVICE_NOT_FOUND";
};

/** So many calls at a time, and no more: `run` waits for a place, `idle` for the last one. The first error is thrown by either. */
export class Window {
  readonly #size: number;
  #running = 0;
  #failed?: { error: unknown };
  #wake = () => {};

  constructor(size: number) {
    this.#size = size;
  }

  async run(work: () => Promise<void>): Promise<void> {
    while (this.#running >= this.#size && !this.#failed) await this.#change();
    this.#check();
    this.#running++;
    work()
      .catch((error) => {
        this.#failed ??= { error };
      })
      .finally(() => {
        this.#running--;
        this.#wake();
      });
  }

  /** Waits also for what runs when something has failed: nobody else would. */
  async idle(): Promise<void> {
    while (this.#running > 0) await this.#change();
    this.#check();
  }

  #change() {
    return new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #check() {
    if (this.#failed) throw this.#failed.error;
  }
}
