import { LRUCache } from "lru-cache";
import type { Activation } from "./actor.activation.ts";
import { weigh } from "./core/freeze.ts";

const MOST = 50_000;
const BARE = 1_000; // bytes of an activation without its state
const GROWN = 16_000; // bytes of events, at least, before one is weighed again

/** The activations of a room that memory has place for; what is asked for least leaves first. */
export class Activations<S> extends LRUCache<string, Activation<S>> {
  constructor(bytes: number) {
    super({
      max: MOST,
      maxSize: bytes,
      sizeCalculation: (a) => {
        a.grown = 0;
        a.weight = BARE + weigh(a.state);
        return a.weight;
      },
    });
  }

  /** Weighs one again, where what it took in since may have made it heavier by half. */
  grown(id: string, a: Activation<S>): void {
    if (a.grown <= GROWN + a.weight / 2 || this.peek(id) !== a) return;
    this.delete(id); // the cache does not weigh again what it has already
    this.set(id, a);
  }
}
