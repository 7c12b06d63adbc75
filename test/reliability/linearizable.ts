/** A thing that does one operation after another: what it answers, and how it stands then. */
export interface Spec<S, I, O> {
  readonly initial: S;
  /** The state after the operation; undefined where it could not have answered so. Without an output any answer will do. */
  step(state: S, input: I, output: O | undefined): S | undefined;
  /** Equal for equal states, and only for them. */
  key(state: S): string;
}

/** An operation as its client saw it. Who got no answer does not know whether it happened, or when: it is in doubt. */
export interface Call<I, O> {
  readonly input: I;
  /** Left out where there was no answer. */
  readonly output?: O;
  readonly began: number;
  /** When the answer was there; of no meaning without one. */
  readonly ended: number;
}

export type Verdict<I, O> =
  | { readonly ok: true; readonly steps: number }
  /** `stuck` could be put nowhere, whatever came before; `behind` is how many came before it in the longest order that was found. */
  | { readonly ok: false; readonly steps: number; readonly stuck: Call<I, O>; readonly behind: number }
  | { readonly ok: undefined; readonly steps: number };

const MOST_STEPS = 20_000_000;

/** Calls that can come next, and how it stands before them. */
interface Fork<S> {
  readonly state: S;
  readonly next: readonly number[];
  tried: number;
  /** The call in doubt that was put last, and how it stood before. */
  readonly doubt?: { readonly n: number; readonly before: S };
}

/**
 * Whether there is an order of the calls in which each took place in one moment between its beginning and its end, such that the
 * thing would have answered as it did (Herlihy & Wing). The search is Wing & Gong's with Lowe's improvements, as in Porcupine:
 * whatever can come first is put first, and taken back where nothing fits behind it; a set of calls that has led to one state once is
 * not tried again; and a call is put no earlier than it must be, so that what took long does not stand in the way of what did not:
 * one in doubt only right before what it makes a difference to.
 * A call in doubt can take place at any time from its beginning on, or never. `ok` is undefined where the search was given up.
 */
export const linearizable = <S, I, O>({ initial, step, key }: Spec<S, I, O>, calls: readonly Call<I, O>[]): Verdict<I, O> => {
  /** Not where it could as well not have happened, or right behind the next: that is tried by itself. */
  const makesDifference = ({ n: doubt, before }: { n: number; before: S }, n: number, after: S): boolean => {
    const { input, output } = calls[n]!;
    const without = step(before, input, output);
    if (without === undefined) return true;
    if (key(without) === key(after)) return false;
    if (output === undefined && doubt < n) return true; // of two in doubt, one order is enough
    const behind = step(without, calls[doubt]!.input, undefined);
    return behind === undefined || key(behind) !== key(after);
  };
  const order = new Pending(calls);
  const tried = new Set<string>();
  const path: Fork<S>[] = [];
  let [steps, longest, stuck] = [0, -1, 0];
  let fork: Fork<S> = { state: initial, next: order.next(), tried: 0 };
  while (order.open > 0) {
    const n = fork.next[fork.tried++];
    if (n === undefined) {
      if (path.length > longest) [longest, stuck] = [path.length, fork.next[0]!];
      const before = path.pop();
      if (!before) return { ok: false, steps, stuck: calls[stuck]!, behind: Math.max(longest, 0) };
      fork = before;
      order.putBack(fork.next[fork.tried - 1]!);
      continue;
    }
    if (++steps > MOST_STEPS) return { ok: undefined, steps };
    const { input, output } = calls[n]!;
    const state = step(fork.state, input, output);
    // one in doubt that would change nothing need not have happened
    if (state === undefined || (output === undefined && key(state) === key(fork.state))) continue;
    if (fork.doubt && !makesDifference(fork.doubt, n, state)) continue;
    order.take(n);
    const seen = `${order.taken} ${key(state)}`;
    if (tried.has(seen)) {
      order.putBack(n);
      continue;
    }
    tried.add(seen);
    path.push(fork);
    fork = { state, next: order.next(), tried: 0, ...(output === undefined && { doubt: { n, before: fork.state } }) };
  }
  return { ok: true, steps };
};

/** The calls that have no place yet. */
class Pending {
  readonly #calls: readonly Call<unknown, unknown>[];
  readonly #byBegin: readonly number[];
  readonly #byEnd: readonly number[];
  readonly #bits: Buffer;
  /** How many of them were answered. */
  open: number;
  /** All before these places have been taken. */
  #firstBegin = 0;
  #firstEnd = 0;

  constructor(calls: readonly Call<unknown, unknown>[]) {
    this.#calls = calls;
    const all = [...calls.keys()];
    this.#byBegin = all.toSorted((a, b) => calls[a]!.began - calls[b]!.began);
    this.#byEnd = all.filter((n) => calls[n]!.output !== undefined).sort((a, b) => calls[a]!.ended - calls[b]!.ended);
    this.#bits = Buffer.alloc((calls.length >> 3) + 1);
    this.open = this.#byEnd.length;
  }

  /** Those that can come next: which had begun when the first of them ended. That one first, then by their ends, those in doubt last. */
  next(): number[] {
    this.#firstEnd = this.#skip(this.#byEnd, this.#firstEnd);
    this.#firstBegin = this.#skip(this.#byBegin, this.#firstBegin);
    const first = this.#byEnd[this.#firstEnd];
    if (first === undefined) return [];
    const found: number[] = [];
    for (let i = this.#firstBegin; i < this.#byBegin.length; i++) {
      const n = this.#byBegin[i]!;
      if (this.#calls[n]!.began > this.#calls[first]!.ended) break;
      if (!this.#isTaken(n)) found.push(n);
    }
    return found.sort((a, b) => this.#endOf(a) - this.#endOf(b) || a - b);
  }

  get taken(): string {
    return this.#bits.toString("latin1");
  }

  take(n: number) {
    this.#bits[n >> 3]! |= 1 << (n & 7);
    if (this.#calls[n]!.output !== undefined) this.open--;
  }

  putBack(n: number) {
    this.#bits[n >> 3]! &= ~(1 << (n & 7));
    if (this.#calls[n]!.output !== undefined) this.open++;
    [this.#firstBegin, this.#firstEnd] = [0, 0];
  }

  #isTaken(n: number): boolean {
    return (this.#bits[n >> 3]! & (1 << (n & 7))) !== 0;
  }

  #endOf(n: number): number {
    const { output, ended } = this.#calls[n]!;
    return output === undefined ? Number.MAX_VALUE : ended;
  }

  #skip(of: readonly number[], from: number): number {
    let at = from;
    while (at < of.length && this.#isTaken(of[at]!)) at++;
    return at;
  }
}
