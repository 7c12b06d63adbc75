import { setTimeout as delay } from "node:timers/promises";
import { ask } from "./ask.ts";
import type { Fleet } from "./fleet.ts";
import type { Attempt, Journal, Op } from "./journal.ts";
import { World } from "./ops.ts";
import type { Random } from "./random.ts";

export interface TrafficSettings {
  clients: number;
  /** How many of the ops that may be repeated go to two processes at once. */
  twice: number;
  /** Milliseconds that each client waits, on average, before it wants something else. */
  pause?: number;
  /** Milliseconds until a client no longer waits for an answer. */
  patience?: number;
  /** What got no answer may still be under way when it is asked for again: it was sent on to a process that stands still, or to one cut off. */
  lingers?: boolean;
}

const MEMORY = 200; // done ops of a client's that may come again
const TRIES = 200;
const PATIENCE = 60_000; // beyond the gateway's own: who answers so late does not answer

/** Clients that want things, one after another each, until they are told to stop. Each sees to it that it learns how what it may repeat ended. */
export class Traffic {
  readonly #fleet: Fleet;
  readonly #journal: Journal;
  readonly #world: World;
  readonly #clients: Promise<void>[];
  readonly #settings: TrafficSettings;
  #stopping = false;

  constructor(fleet: Fleet, journal: Journal, random: Random, settings: TrafficSettings) {
    this.#fleet = fleet;
    this.#journal = journal;
    this.#settings = settings;
    this.#world = new World(journal);
    this.#clients = Array.from({ length: settings.clients }, (_, n) => this.#client(n, random.fork()));
  }

  /** Resolves when every client has ended what it had begun. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }

  async #client(client: number, random: Random) {
    const done: Op[] = [];
    while (!this.#stopping) {
      const before = done.length > 0 && random.chance(0.12) ? random.pick(done) : undefined;
      const reuse = before?.key && before.effect && before.deal && before.kind !== "open" && random.chance(0.2);
      const op = reuse ? this.#world.reuse(before) : (before ?? this.#world.op(random));
      const outcome = await this.#want(op, client, random);
      if (this.#settings.pause) await delay(random.int(0, this.#settings.pause * 2));
      if (op.repeatable && !before && outcome === "done" && done.push(op) > MEMORY) done.shift();
    }
  }

  /** Asks until it is known what came of it, where asking again can do no harm. */
  async #want(op: Op, client: number, random: Random): Promise<Attempt["outcome"]> {
    for (let tries = 1; ; tries++) {
      const attempts = await this.#ask(op, client, random);
      for (const attempt of attempts) {
        this.#journal.attempts.push(attempt);
        this.#world.learn(attempt);
        if (attempt.code === "REQUEST_TIMEOUT" || (this.#settings.lingers && attempt.outcome === "doubt")) this.#journal.concurrent.add(op); // the work goes on behind the answer
      }
      const outcomes = attempts.map(({ outcome }) => outcome);
      if (outcomes.includes("done")) return "done";
      if (!outcomes.includes("doubt")) return "refused";
      if (!op.repeatable && !op.never) return "doubt";
      if (tries === TRIES) {
        this.#journal.breaches.push(`op ${op.n} ${op.kind} ${op.path}: ${TRIES} tries, and no answer that says what came of it`);
        return "doubt";
      }
      await delay(random.int(1, 20) * Math.min(tries, 20));
    }
  }

  async #ask(op: Op, client: number, random: Random): Promise<Attempt[]> {
    const { twice, patience = PATIENCE } = this.#settings;
    const door = await this.#fleet.any(random);
    const other = op.repeatable && random.chance(twice) ? this.#fleet.doors.find((d) => d !== door) : undefined;
    if (!other) return [await ask(op, client, door, patience)];
    this.#journal.concurrent.add(op);
    return Promise.all([ask(op, client, door, patience), ask(op, client, other, patience)]);
  }
}
