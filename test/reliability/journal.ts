export type Kind =
  | "open"
  | "amend"
  | "note"
  | "source"
  | "confirm"
  | "fulfil"
  | "cancel"
  | "return"
  | "book"
  | "takeBack"
  | "receive"
  | "writeOff"
  | "reserve"
  | "release"
  | "pick"
  | "transfer"
  | "deal"
  | "history"
  | "stock"
  | "list"
  | "revenue";

/** What a client wants, however often it has to ask for it. */
export interface Op {
  readonly n: number;
  readonly kind: Kind;
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly key?: string;
  readonly ifMatch?: number;
  /** Which deal, or which stock, where that is known before. */
  readonly deal?: string;
  readonly stock?: string;
  /** How the record shows that it was done, in words that no other op's effect has. */
  readonly effect?: string;
  /** Asking again has no second effect: a key says so, or the id of what it makes. */
  readonly repeatable?: boolean;
  /** What was done once is answered as done whenever it comes again. */
  readonly same?: boolean;
  /** It must be refused: its key came with another request before. */
  readonly never?: boolean;
}

/** A state as the system told it, to be judged. */
export interface Said {
  readonly id: string;
  readonly version: number;
  readonly status?: string;
  readonly short?: unknown;
  /** Of a list, or a history. */
  readonly items: readonly Said[];
  readonly [field: string]: unknown;
}

/** What came of asking once. `doubt`: no answer, or one that says that it may have happened. */
export interface Attempt {
  readonly op: Op;
  readonly client: number;
  readonly node: string;
  /** Milliseconds of the harness's clock. */
  readonly began: number;
  readonly ended: number;
  readonly outcome: "done" | "refused" | "doubt";
  /** 0 where no answer came. */
  readonly status: number;
  readonly code?: string;
  /** Empty where there was none. */
  readonly answer: Said;
}

/** All that clients asked for and were told, in the order of the answers, and what was wrong at sight. */
export class Journal {
  readonly attempts: Attempt[] = [];
  readonly breaches: string[] = [];
  /** Ops that were under way in two requests at once: a refusal of one says nothing of the other. */
  readonly concurrent = new Set<Op>();
  #ops = 0;

  next(): number {
    return ++this.#ops;
  }

  get ops(): number {
    return this.#ops;
  }

  byOp(): Map<Op, Attempt[]> {
    return Map.groupBy(this.attempts, ({ op }) => op);
  }
}

/** How often it was answered how. */
export const outcomesOf = ({ attempts }: Pick<Journal, "attempts">): Record<string, number> => {
  const answers: Record<string, number> = {};
  for (const { outcome, status, code } of attempts) {
    const name = outcome === "done" ? "done" : outcome === "refused" ? "refused" : status === 0 ? "no answer" : code!;
    answers[name] = (answers[name] ?? 0) + 1;
  }
  return answers;
};
