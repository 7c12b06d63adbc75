import type { Logger } from "moleculer";
import type { User } from "../core/context.ts";
import { config } from "../runtime/config.ts";
import { TOKEN_SECONDS } from "./access-token.ts";

/** Milliseconds that an ended session is remembered: no token of it counts then, hosts' clocks included. */
export const ENDED_FOR = (Math.max(TOKEN_SECONDS, ...config.trustedIssuers.map(({ maxAge }) => maxAge)) + 60) * 1_000;

/** What was taken back before its tokens had expired: a session (`<user>/<session>`), or all that a user had by then. Times in milliseconds. */
export interface Revoked {
  readonly sessions: readonly { id: string; at: number }[];
  readonly users: readonly { id: string; before: number }[];
  /** Where to go on from the next time. */
  readonly next: number;
}

const EVERY = 400; // milliseconds: who has logged out is nobody any more within a second
const PATIENCE = 2_000; // milliseconds that a door which has just opened waits for the first word of it

/** What every door knows of ended sessions. While nobody answers, tokens count until they expire. */
export class Revocations {
  readonly #ask: (since: number) => Promise<Revoked>;
  readonly #logger: Pick<Logger, "warn">;
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<string, number>();
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  #away = false;
  readonly #first = Promise.withResolvers<void>();
  /** Whether it has been told once what has ended, or has waited for that in vain. */
  known = false;

  constructor(ask: (since: number) => Promise<Revoked>, logger: Pick<Logger, "warn">) {
    this.#ask = ask;
    this.#logger = logger;
  }

  /** Resolves when it is `known`. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  start(): void {
    setTimeout(() => this.#begin(), PATIENCE).unref();
    this.#next(0);
  }

  #next(wait: number) {
    this.#timer = setTimeout(() => this.look().finally(() => this.#timer && this.#next(EVERY)), wait).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  ended = ({ id, session }: User, made: number): boolean =>
    (session !== undefined && this.#sessions.has(`${id}/${session}`)) || made < (this.#users.get(id) ?? 0);

  #begin() {
    this.known = true;
    this.#first.resolve();
  }

  /** Asks what is new. */
  async look(): Promise<void> {
    try {
      const { sessions, users, next } = await this.#ask(this.#since);
      for (const { id, at } of sessions) this.#sessions.set(id, at);
      for (const { id, before } of users) this.#users.set(id, Math.max(before, this.#users.get(id) ?? 0));
      this.#since = next;
      this.#away = false;
      this.#begin();
      forget(this.#sessions);
      forget(this.#users);
    } catch (error) {
      if (!this.#away)
        this.#logger.warn({ event: "revocations.unknown", error: String(error) }, "who logs out now counts until his token expires");
      this.#away = true;
    }
  }
}

/** In the order in which they were told: once one is young enough, so is what follows. */
const forget = (told: Map<string, number>) => {
  const before = Date.now() - ENDED_FOR;
  for (const [id, at] of told) {
    if (at > before) return;
    told.delete(id);
  }
};
