import { randomUUIDv7 } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import type { User } from "../core/context.ts";

/** What became of one command, as far as no event tells it. */
export interface Outcome {
  readonly result: "refused" | "accepted";
  readonly action: string;
  readonly code?: string;
  readonly status?: number;
  readonly user?: Partial<User>;
  readonly from?: string;
  readonly request?: string;
  readonly resource?: string;
  readonly cause?: string;
}

/** One or many that are alike, within a minute: what is told of them is the first one's. */
export interface Report {
  readonly id: string;
  readonly at: number;
  readonly until?: number;
  readonly count: number;
  readonly result: "refused" | "accepted" | "noted";
  readonly action: string;
  readonly code?: string;
  readonly status?: number;
  readonly user?: string;
  readonly roles?: readonly string[];
  readonly session?: string;
  readonly from?: string;
  readonly request?: string;
  readonly resource?: string;
  readonly cause?: string;
}

const MINUTE = 60_000;
const SOON = 500; // milliseconds from the first of its kind to the report of it
const MOST_KINDS = 1_000; // a minute; what comes beyond is told without who and from where
const MOST_WAITING = 10_000;
/** What the audit room takes: reports in one call, characters of a text and of a role, roles. */
export const AT_ONCE = 200;
export const LONGEST = 200;
export const LONGEST_ROLE = 64;
export const MOST_ROLES = 20;
const PATIENCE = 2_000; // milliseconds with the audit room
export const REPORT = "v1.audit.report";
/** What is told of reports that were lost because the room was away for too long, or does not take them. */
export const DROPPED = "audit.dropped";

/** As much of a text as the room takes. Much of a call is what another node says it is: what is no text is left out. */
const cut = (value: unknown, most = LONGEST) => (typeof value === "string" ? value.slice(0, most).toWellFormed() : undefined);

const toldOf = ({ user, result, action, status, ...rest }: Outcome): Kind["first"] => ({
  ...{ result, action, status, code: cut(rest.code), user: cut(user?.id), session: cut(user?.session) },
  ...(Array.isArray(user?.roles) && { roles: user.roles.slice(0, MOST_ROLES).map((role) => cut(role, LONGEST_ROLE) ?? "") }),
  ...{ from: cut(rest.from), request: cut(rest.request), resource: cut(rest.resource), cause: cut(rest.cause) },
});

interface Kind {
  readonly first: Omit<Report, "id" | "count" | "at">;
  readonly minute: number;
  at: number;
  until: number;
  count: number;
  told: boolean;
}

/**
 * What this process has refused, on its way to the audit room: nobody waits for it, and nobody fills a disk by it. What is alike (user, address,
 * action, code) is told at once when it comes first, and once more at the minute's end with how often it came. While the room is
 * away reports wait, 10,000 of them; beyond that the oldest go, and how many is told as well.
 */
export class Refusals {
  readonly #broker: Pick<ServiceBroker, "call" | "registry" | "logger">;
  readonly #clock: () => number;
  readonly #kinds = new Map<string, Kind>();
  #waiting: Report[] = [];
  #dropped = 0;
  #minute = 0;
  #inMinute = 0;
  #timer?: NodeJS.Timeout;
  #sending?: Promise<void>;

  constructor(broker: Pick<ServiceBroker, "call" | "registry" | "logger">, clock: () => number = Date.now) {
    this.#broker = broker;
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  report(told: Outcome): void {
    const { result, action, status } = told;
    const { user, code = "", from = "" } = { user: cut(told.user?.id), code: cut(told.code), from: cut(told.from) };
    const at = this.#clock();
    const minute = Math.floor(at / MINUTE);
    if (minute !== this.#minute) [this.#minute, this.#inMinute] = [minute, 0];
    const about = user === undefined && status === 401 ? "" : action; // who has no login can ask for everything: one is like the other
    const name = (...who: string[]) => JSON.stringify([minute, result, about, code, ...who]);
    let key = name(user ?? "", from);
    let first: Kind["first"] = toldOf(told);
    if (!this.#kinds.has(key) && this.#inMinute >= MOST_KINDS) {
      key = name();
      first = { result, action, code: cut(told.code), status };
    }
    const known = this.#kinds.get(key);
    if (!known) {
      this.#inMinute++;
      this.#kinds.set(key, { first, minute, at, until: at, count: 1, told: false });
    } else {
      if (known.count === 0) known.at = at;
      known.count++;
      known.until = at;
    }
    this.#timer ??= setTimeout(() => void this.flush(), SOON).unref();
  }

  /** Tells what is to be told by now; at the `end` all of it. Resolves when the room has it, or could not be had. */
  async flush(end = false): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const minute = Math.floor(this.#clock() / MINUTE);
    for (const [key, kind] of this.#kinds) {
      const over = end || kind.minute < minute;
      if (kind.count > 0 && (over || !kind.told)) this.#queue(kind);
      if (over) this.#kinds.delete(key);
    }
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
    if (!end && (this.#kinds.size > 0 || this.#waiting.length > 0)) this.#timer ??= setTimeout(() => void this.flush(), SOON * 2).unref();
  }

  #queue(kind: Kind) {
    const { first, at, until, count } = kind;
    this.#waiting.push({ id: randomUUIDv7(), at, ...(until > at && { until }), count, ...first });
    kind.count = 0;
    kind.told = true;
    const over = this.#waiting.length - MOST_WAITING;
    if (over > 0) for (const { count } of this.#waiting.splice(0, over)) this.#dropped += count;
  }

  async #send() {
    let suspect = 0; // so many at the front are sent one by one: one of them was refused
    while (this.#reachable()) {
      if (suspect === 0) this.#tellDropped();
      const items = this.#waiting.slice(0, suspect > 0 ? 1 : AT_ONCE);
      if (items.length === 0) return;
      const outcome = await this.#broker.call(REPORT, { items }, { timeout: PATIENCE }).then(
        () => undefined,
        (error: { code?: unknown }) => error,
      );
      if (outcome && outcome.code !== 422) {
        this.#broker.logger.debug({ event: "audit.waits", waiting: this.#waiting.length, error: String(outcome) });
        return; // the same again, under the same ids
      }
      if (outcome && items.length > 1) {
        suspect = items.length;
        continue;
      }
      suspect = Math.max(0, suspect - 1);
      if (outcome) this.#refused(items[0]!, outcome);
      const sent = new Set(items);
      this.#waiting = this.#waiting.filter((item) => !sent.has(item)); // the oldest may have gone meanwhile
    }
  }

  #tellDropped() {
    if (this.#dropped === 0) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#waiting.push({ id: randomUUIDv7(), at: this.#clock(), count, result: "noted", action: DROPPED });
  }

  #refused({ action, count }: Report, error: unknown) {
    this.#broker.logger.warn({ event: "audit.refused", action, count, error: String(error) });
    if (action !== DROPPED) this.#dropped += count;
  }

  /** Moleculer warns at each call of a room that does not run. */
  #reachable(): boolean {
    const known = this.#broker.registry.getActionEndpoints(REPORT) as unknown as { hasAvailable(): boolean } | undefined;
    return known?.hasAvailable() ?? false;
  }
}

const ofBrokers = new WeakMap<ServiceBroker, Refusals>();

/** Those of a broker's process. */
export const refusalsOf = (broker: ServiceBroker): Refusals => {
  const known = ofBrokers.get(broker) ?? new Refusals(broker);
  ofBrokers.set(broker, known);
  return known;
};
