import { LRUCache } from "lru-cache";
import { Unavailable } from "../core/errors.ts";
import type { DataKey } from "./sealed.ts";

const MOST_KEPT = 20_000;
const MOST_ASKED = 1_000;
const EVERY = 300; // milliseconds between two questions which keys are no more
const TRUSTED = 1_000; // milliseconds for which the last answer to that counts: a destroyed key opens nothing any longer
const [FEWEST, MOST] = [16, 512];
const GONE = null;

type Ask = <T>(action: string, params: object) => Promise<T>;

interface Told {
  readonly id: string;
  readonly key: string;
}

/**
 * The keys of one room in this process's memory: those that it has asked for, and some new ones that wait for a document. What is sealed
 * by a key can be read while the vault answers, and not a second longer.
 */
export class Vault {
  readonly #room: string;
  readonly #ask: Ask;
  readonly #keys = new LRUCache<string, Buffer | { gone: true }>({ max: MOST_KEPT });
  #spares: DataKey[] = [];
  #ahead = FEWEST;
  #wanted = 0;
  #stocking: Promise<void> | undefined;
  #index: Buffer | undefined;
  #heard = Number.NEGATIVE_INFINITY;
  #since: number | undefined;
  #listening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(room: string, ask: Ask) {
    this.#room = room;
    this.#ask = ask;
  }

  /** The key, null where it is no more, undefined where that must be asked first (`learn`). */
  known(id: string): Buffer | typeof GONE | undefined {
    const kept = performance.now() - this.#heard < TRUSTED ? this.#keys.get(id) : undefined;
    return kept instanceof Buffer ? kept : kept && GONE;
  }

  /** Asks for keys that are not known. Throws `VAULT_UNAVAILABLE`. */
  async learn(ids: Iterable<string>): Promise<void> {
    await this.#listen();
    const unknown = [...new Set(ids)].filter((id) => this.#keys.get(id) === undefined);
    for (let i = 0; i < unknown.length; i += MOST_ASKED) {
      const asked = unknown.slice(i, i + MOST_ASKED);
      const { keys } = await this.#call<{ keys: Told[] }>("dataKeys", { ids: asked });
      for (const id of asked) this.#keys.set(id, { gone: true });
      for (const { id, key } of keys) this.#keys.set(id, Buffer.from(key, "base64"));
    }
  }

  /**
   * So many new keys, for documents that have none. Some are asked for ahead: a key must be on the disk before anything is sealed by it, and
   * no creation should have to wait for that. Throws `VAULT_UNAVAILABLE`.
   */
  async reserve(count: number): Promise<DataKey[]> {
    await this.#listen();
    this.#wanted += count;
    try {
      while (this.#spares.length < count) await this.#stock();
    } finally {
      this.#wanted -= count;
    }
    const reserved = this.#spares.splice(0, count);
    for (const { id, key } of reserved) this.#keys.set(id, key);
    if (this.#spares.length < this.#ahead / 4) this.#stock().catch(() => {});
    return reserved;
  }

  giveBack(spares: readonly DataKey[]): void {
    if (!this.#stopped) this.#spares.push(...spares);
  }

  #stock(): Promise<void> {
    this.#stocking ??= this.#makeMore().finally(() => {
      this.#stocking = undefined;
    });
    return this.#stocking;
  }

  async #makeMore(): Promise<void> {
    const count = Math.min(Math.max(this.#wanted, this.#ahead), MOST_ASKED);
    this.#ahead = Math.min(this.#ahead * 2, MOST);
    const { keys } = await this.#call<{ keys: Told[] }>("newDataKeys", { count });
    this.giveBack(keys.map(({ id, key }) => ({ id, key: Buffer.from(key, "base64") })));
  }

  /** What the room's blind indexes are made by, once it was asked for (`learnIndex`). */
  get index(): Buffer | undefined {
    return this.#index;
  }

  async learnIndex(): Promise<Buffer> {
    this.#index ??= Buffer.from((await this.#call<{ key: string }>("indexKey", {})).key, "base64");
    return this.#index;
  }

  async destroy(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#call("destroyDataKeys", { ids });
    for (const id of ids) this.#keys.set(id, { gone: true });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#keys.clear();
    this.#spares = [];
    this.#index = undefined;
  }

  /** Hears of destroyed keys from now on, and has just heard when it resolves. */
  async #listen(): Promise<void> {
    if (performance.now() - this.#heard < TRUSTED / 2) return;
    await this.#poll();
  }

  #poll(): Promise<void> {
    this.#listening ??= this.#hear().finally(() => {
      this.#listening = undefined;
    });
    return this.#listening;
  }

  async #hear(): Promise<void> {
    clearTimeout(this.#timer);
    const asked = performance.now();
    try {
      const { ids, all, next } = await this.#call<{ ids: string[]; all: boolean; next: number }>("destroyedDataKeys", {
        since: this.#since,
      });
      if (all) this.#keys.clear();
      for (const id of ids) this.#keys.set(id, { gone: true });
      this.#since = next;
      this.#heard = asked;
    } finally {
      if (!this.#stopped) this.#timer = setTimeout(() => this.#poll().catch(() => {}), EVERY).unref();
    }
  }

  async #call<T>(action: string, params: object): Promise<T> {
    try {
      return await this.#ask<T>(`v1.auth.${action}`, { room: this.#room, ...params });
    } catch (cause) {
      const error = new Unavailable("VAULT_UNAVAILABLE", "The keys of sealed fields are not to be had just now");
      error.cause = cause;
      throw error;
    }
  }
}
