import { randomUUID } from "node:crypto";
import type { LeaseStore } from "../storage/lease-store.ts";

/** This process, for as long as it lives. */
export const me: string = randomUUID();

const TTL = 3_000;
const RENEW = 1_000;

let fit = () => true;

/** Says whether this process can do what its names are held for; while it cannot, it holds none, and others have them. */
export const holdWhile = (check: () => boolean): void => {
  fit = check;
};

/** Holds one name for this process, or tries to, until it is closed. */
export class Lease {
  readonly #store: LeaseStore;
  readonly #name: string;
  readonly #won: () => void;
  #until = 0;
  #timer?: NodeJS.Timeout;
  #hopeful?: () => void;
  #closed = false;
  #trying: Promise<void> = Promise.resolve();

  /** `won` is called whenever the name has become ours. */
  constructor(store: LeaseStore, name: string, won: () => void = () => {}) {
    this.#store = store;
    this.#name = name;
    this.#won = won;
  }

  async open() {
    this.#trying = this.#try();
    await this.#trying;
    if (this.#closed) return;
    this.#timer = setInterval(() => {
      this.#trying = this.#try();
    }, RENEW).unref();
  }

  /** Tries now, for its holder may just have left it. */
  async seek() {
    if (this.#closed || this.held) return;
    this.#trying = this.#trying.then(() => this.#try());
    await this.#trying;
  }

  get held(): boolean {
    return Date.now() < this.#until;
  }

  /** Whether the name is ours, or becomes it within so many milliseconds. */
  within(patience: number): Promise<boolean> {
    if (this.held) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(this.held), patience);
      this.#hopeful = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  async close() {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#trying;
    const held = this.held;
    this.#until = 0;
    if (held) await this.#store.leave(this.#name, me).catch(() => {});
  }

  async #try() {
    const before = this.held;
    if (!fit()) {
      this.#until = 0;
      if (before) await this.#store.leave(this.#name, me).catch(() => {});
      return;
    }
    const asked = Date.now();
    const taken = await this.#store.take(this.#name, me, TTL).catch(() => false);
    this.#until = taken ? asked + TTL : 0;
    if (taken && !before) {
      this.#hopeful?.();
      this.#won();
    }
  }
}
