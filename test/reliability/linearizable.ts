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

/** A call's beginning, or its end, in the order of time, as a list that calls can be taken out of and put back into. */
interface Entry {
  readonly n: number;
  readonly end?: Entry;
  readonly isEnd: boolean;
  before: Entry | undefined;
  next: Entry | undefined;
}

const MOST_STEPS = 20_000_000;

/**
 * Whether there is an order of the calls in which each took place in one moment between its beginning and its end, such that the
 * thing would have answered as it did (Herlihy & Wing). The search is Wing & Gong's with Lowe's memory of what was tried, as
 * Porcupine has it: whatever can come first is taken out, and put back where nothing fits behind it; a set of calls that has led to
 * one state once is not tried again. A call in doubt can take place at any time from its beginning on, or never.
 * `ok` is undefined where the search was given up.
 */
export const linearizable = <S, I, O>({ initial, step, key }: Spec<S, I, O>, calls: readonly Call<I, O>[]): Verdict<I, O> => {
  const head = listOf(calls);
  const bits = Buffer.alloc((calls.length >> 3) + 1);
  const tried = new Set<string>();
  const path: { entry: Entry; state: S }[] = [];
  let open = calls.filter(({ output }) => output !== undefined).length;
  let state = initial;
  let steps = 0;
  let longest = -1;
  let stuck = 0;
  for (let entry = head.next; open > 0; ) {
    if (entry && !entry.isEnd) {
      const { input, output } = calls[entry.n]!;
      if (++steps > MOST_STEPS) return { ok: undefined, steps };
      const after = step(state, input, output);
      // one in doubt that would change nothing need not have happened
      if (after !== undefined && (output !== undefined || key(after) !== key(state))) {
        flip(bits, entry.n);
        const seen = `${bits.toString("latin1")} ${key(after)}`;
        if (!tried.has(seen)) {
          tried.add(seen);
          path.push({ entry, state });
          if (output !== undefined) open--;
          state = after;
          takeOut(entry);
          entry = head.next;
          continue;
        }
        flip(bits, entry.n);
      }
      entry = entry.next;
      continue;
    }
    if (entry && path.length > longest) {
      longest = path.length;
      stuck = entry.n;
    }
    const last = path.pop();
    if (!last) return { ok: false, steps, stuck: calls[stuck]!, behind: Math.max(longest, 0) };
    putBack(last.entry);
    flip(bits, last.entry.n);
    if (calls[last.entry.n]!.output !== undefined) open++;
    state = last.state;
    entry = last.entry.next;
  }
  return { ok: true, steps };
};

const flip = (bits: Buffer, n: number) => {
  bits[n >> 3]! ^= 1 << (n & 7);
};

/** Beginnings before ends where they fall on one moment: then the calls were under way together. */
const listOf = <I, O>(calls: readonly Call<I, O>[]): Entry => {
  const placed = calls.flatMap(({ output, began, ended }, n) => {
    if (output === undefined) return [{ entry: entryOf(n), at: began }];
    const end = entryOf(n, true);
    return [
      { entry: entryOf(n, false, end), at: began },
      { entry: end, at: ended },
    ];
  });
  placed.sort((a, b) => a.at - b.at || Number(a.entry.isEnd) - Number(b.entry.isEnd));
  const head = entryOf(-1);
  let last = head;
  for (const { entry } of placed) {
    last.next = entry;
    entry.before = last;
    last = entry;
  }
  return head;
};

const entryOf = (n: number, isEnd = false, end?: Entry): Entry => ({ n, isEnd, end, before: undefined, next: undefined });

const takeOut = (entry: Entry) => {
  unlink(entry);
  if (entry.end) unlink(entry.end);
};

/** In the reverse order of `takeOut`, so that each finds its neighbours as they were. */
const putBack = (entry: Entry) => {
  if (entry.end) link(entry.end);
  link(entry);
};

const unlink = ({ before, next }: Entry) => {
  before!.next = next;
  if (next) next.before = before;
};

const link = (entry: Entry) => {
  entry.before!.next = entry;
  if (entry.next) entry.next.before = entry;
};
