import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { freeze } from "./core/freeze.ts";
import type { SharedCache, Ticket } from "./storage/shared-cache.ts";

interface Entry {
  /** The topic's mark when its load began. */
  mark: number;
  /** Until when it is an answer, by this process's clock. */
  until: number;
  answer: object;
}

interface Wanted {
  topic: string;
  key: string;
  place: string;
  mark: number;
  within: number;
  load: () => object | Promise<object>;
}

const MOST_TOPICS = 10_000;
const PAUSES = [5, 10, 20, 40, 75, 100, 100]; // milliseconds between two looks at what another node loads: 350 in all

/**
 * Answers that may be a moment old: in this process's memory, and behind it in the cache that all nodes share. A topic has a
 * mark here as it has an edition there; both change with every invalidation, and what was begun before is not kept.
 */
export class RecentReads {
  readonly #shared: SharedCache;
  readonly #kept: LRUCache<string, Entry>;
  readonly #loading = new Map<string, Omit<Entry, "answer"> & { answer: Promise<object> }>();
  readonly #marks = new LRUCache<string, number>({ max: MOST_TOPICS });
  #lastMark = 0;

  constructor(shared: SharedCache, max: number, maxBytes: number) {
    this.#shared = shared;
    this.#kept = new LRUCache({ max, maxSize: maxBytes });
    shared.listen((topic) => {
      if (topic === undefined) this.#marks.clear();
      else this.#marks.delete(topic);
    });
  }

  read(topic: string, key: string, load: Wanted["load"], within: number): object | Promise<object> {
    const place = `${topic.length} ${topic}${key}`;
    const mark = this.#mark(topic);
    const now = performance.now();
    const kept = this.#kept.get(place);
    if (kept?.mark === mark && kept.until > now) return kept.answer;
    const underway = this.#loading.get(place);
    if (underway?.mark === mark && underway.until > now) return underway.answer;
    const answer = this.#fetch({ topic, key, place, mark, within, load });
    this.#loading.set(place, { mark, until: now + within, answer });
    const done = () => {
      if (this.#loading.get(place)?.answer === answer) this.#loading.delete(place);
    };
    answer.then(done, done);
    return answer;
  }

  /** Resolves when all nodes know, or cannot be told. */
  changed(topic: string): Promise<void> {
    this.#marks.delete(topic);
    return this.#shared.invalidate(topic);
  }

  close(): void {
    this.#shared.close();
  }

  /** A mark that was forgotten is never given again. */
  #mark(topic: string): number {
    const mark = this.#marks.get(topic) ?? ++this.#lastMark;
    this.#marks.set(topic, mark);
    return mark;
  }

  async #fetch(wanted: Wanted): Promise<object> {
    const { topic, key } = wanted;
    let asked = performance.now();
    let claim = await this.#shared.claim(topic, key);
    for (const pause of PAUSES) {
      if (claim?.kind !== "wait") break;
      await delay(pause);
      asked = performance.now();
      claim = await this.#shared.claim(topic, key);
    }
    if (claim?.kind === "kept") {
      const answer = parse(claim.json);
      if (answer) return this.#keep(wanted, answer, claim.json.length, asked + Math.min(claim.left, wanted.within));
    }
    return this.#load(wanted, claim && "ticket" in claim ? claim.ticket : undefined);
  }

  async #load(wanted: Wanted, ticket: Ticket | undefined): Promise<object> {
    const { topic, key, within, load } = wanted;
    const until = performance.now() + within;
    try {
      const answer = await load();
      const json = JSON.stringify(answer);
      if (ticket) void this.#shared.put(topic, key, ticket, json, until - performance.now());
      return this.#keep(wanted, answer, json.length, until);
    } catch (error) {
      if (ticket) void this.#shared.release(topic, key, ticket);
      throw error;
    }
  }

  #keep({ place, mark }: Wanted, answer: object, size: number, until: number): object {
    this.#kept.set(place, { mark, until, answer: freeze(answer) }, { size: place.length + size });
    return answer;
  }
}

/** What somebody else has put there under our names is no answer. */
const parse = (json: string): object | undefined => {
  try {
    const answer = JSON.parse(json);
    return typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
};
