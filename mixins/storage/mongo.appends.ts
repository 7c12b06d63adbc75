import { LRUCache } from "lru-cache";
import type { Collection, FindOptions } from "mongodb";
import { Conflict, Unavailable } from "../core/errors.ts";
import type { Commit } from "./event-store.ts";
import { type CommitRow, idOf, MOST, readStream, toRow } from "./mongo.commits.ts";
import { type MongoHost, refusedOf, unavailable } from "./mongo.host.ts";

/** What is written beside a commit, before it or once it is there. */
export interface Alongside {
  readonly before?: () => Promise<unknown>;
  readonly after?: () => Promise<unknown>;
}

interface Append {
  readonly commit: Commit;
  /** About how many characters it takes. */
  readonly size: number;
  readonly alongside?: Alongside;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A stream that commits are on their way to: one document at a time, what comes meanwhile waits for the next. */
interface Line {
  readonly stream: string;
  waiting: Append[];
  sending?: Append[];
}

interface End {
  readonly version: number;
  readonly id: string;
}

const ENDS = 50_000; // streams whose last commit is known without asking
const TRIES = 3;
const SIZE = 1_000_000; // characters, about, that one document may take
const PATIENCE = 1_000; // milliseconds that a broken connection has to come back before what was on its way counts as in doubt

/**
 * Sends commits to a collection: those of one stream that wait together in one document, those of one tick in one
 * unordered insert. MongoDB cannot check on what a commit was decided, so a stream has one document on its way, and the next is
 * sent when it is there. An insert in doubt is sent again: its `_id` tells whether it had come through, and the ids of its
 * commits, whose it was.
 */
export class MongoAppends {
  readonly #host: MongoHost;
  readonly #collection: Collection<CommitRow>;
  readonly #stored?: (commits: readonly Commit[]) => void;
  readonly #lines = new Map<string, Line>();
  readonly #ends = new LRUCache<string, End>({ max: ENDS });
  readonly #running = new Set<Promise<void>>();
  #due: Line[] = [];

  /** `stored`, where a bus carries the commits: it is told what is there, and they bear the mark until it has said that it has them. */
  constructor(host: MongoHost, collection: Collection<CommitRow>, stored?: (commits: readonly Commit[]) => void) {
    this.#host = host;
    this.#collection = collection;
    this.#stored = stored;
  }

  append(commit: Commit, alongside?: Alongside): Promise<void> {
    return new Promise((resolve, reject) => {
      const { stream } = commit;
      const size = JSON.stringify(commit).length; // what cannot be stored fails alone, and now
      const line = this.#lines.get(stream) ?? { stream, waiting: [] };
      this.#lines.set(stream, line);
      if (line.waiting.push({ commit, size, alongside, resolve, reject }) === 1 && !line.sending) this.#soon(line);
    });
  }

  /** The version of the last commit that is known to be there: the end of a document. */
  endOf(stream: string): number | undefined {
    return this.#ends.get(stream)?.version;
  }

  /** Notes where a stream ends, as read from the store. */
  know(stream: string, { version, id }: End): void {
    if ((this.#ends.get(stream)?.version ?? 0) < version) this.#ends.set(stream, { version, id });
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0 || this.#due.length > 0) {
      await Promise.all(this.#running);
      await new Promise(setImmediate);
    }
  }

  #soon(line: Line) {
    if (this.#due.push(line) > 1) return;
    setImmediate(() => {
      const lines = this.#due;
      this.#due = [];
      const run = this.#send(lines).finally(() => this.#running.delete(run));
      this.#running.add(run);
    });
  }

  /** One document of each line. */
  async #send(lines: readonly Line[]) {
    const ready = await Promise.all(lines.map((line) => this.#next(line)));
    const sending = lines.filter((_, i) => ready[i]);
    if (sending.length > 0) await this.#insert(sending);
    for (const line of lines) {
      line.sending = undefined;
      if (line.waiting.length > 0) this.#soon(line);
      else this.#lines.delete(line.stream);
    }
  }

  /** Takes from what waits as much as makes one document, where it follows on what the stream ends with. */
  async #next(line: Line): Promise<boolean> {
    line.sending = [];
    try {
      const first = line.waiting[0]!.commit;
      let end: { version: number; id?: string } = await this.#endBefore(first);
      let size = 0;
      while (line.waiting.length > 0 && line.sending.length < MOST && size < SIZE) {
        const next = line.waiting[0]!;
        const { version, id, after } = next.commit;
        if (version !== end.version + 1 || after !== end.id) break;
        line.waiting.shift();
        line.sending.push(next);
        end = { version, id };
        size += next.size;
      }
      if (line.sending.length === 0) await this.#decline(line, first);
      await Promise.all(line.sending.map(({ alongside }) => alongside?.before?.()));
    } catch (error) {
      for (const { reject } of [...line.sending, ...line.waiting.splice(0)]) reject(error);
      line.sending = [];
    }
    return line.sending.length > 0;
  }

  /** Where the stream ends, as far as this commit is concerned: known, or looked up where the commit does not follow on what is known. */
  async #endBefore({ stream, version, after }: Commit): Promise<{ version: number; id?: string }> {
    const known = this.#ends.get(stream);
    if (known ? known.version === version - 1 && known.id === after : version === 1) return known ?? { version: 0 };
    const commits = await this.#read(stream, Math.max(0, version - 2));
    const last = commits.at(-1);
    if (!last) return version <= 2 ? { version: 0 } : { version: -1 };
    this.know(stream, last);
    return { version: last.version, id: last.id };
  }

  /** What does not follow is there already, or refused. */
  async #decline(line: Line, first: Commit) {
    const stored = new Map((await this.#read(line.stream, first.version - 1)).map(({ version, id }) => [version, id]));
    const next = line.waiting.shift()!;
    if (stored.get(first.version) === first.id) return this.#settle(next);
    this.#ends.delete(line.stream);
    next.reject(new Conflict(first.stream, first.version));
    for (let { id } = first; line.waiting[0]?.commit.after === id; ) {
      const { commit, reject } = line.waiting.shift()!; // it was decided on what is refused
      id = commit.id;
      reject(new Conflict(commit.stream, commit.version));
    }
  }

  async #insert(lines: readonly Line[]) {
    const documents = lines.map(({ sending }) =>
      toRow(
        sending!.map(({ commit }) => commit),
        this.#stored !== undefined,
      ),
    );
    let open = lines.map((line, i) => ({ line, document: documents[i]! }));
    for (let n = 1; ; n++) {
      try {
        const refused = await this.#host.ask(() => this.#insertMany(open.map(({ document }) => document)));
        for (const [i, { line }] of open.entries()) if (!refused.has(i)) this.#take(line);
        await Promise.all(open.filter((_, i) => refused.has(i)).map(({ line }) => this.#compare(line)));
        return;
      } catch (error) {
        open = open.filter(({ line }) => line.sending!.length > 0);
        if (n === TRIES || !(error instanceof Unavailable) || !(await this.#host.back(PATIENCE))) {
          for (const { line } of open) this.#fail(line, error);
          return;
        }
      }
    }
  }

  async #insertMany(documents: CommitRow[]): Promise<Set<number>> {
    try {
      await this.#collection.insertMany(documents, { ordered: false });
      return new Set();
    } catch (error) {
      return refusedOf(error);
    }
  }

  /** The place of its first commit is taken: by itself, the answer having been lost, or by somebody who was first. */
  async #compare(line: Line) {
    const sent = line.sending!;
    try {
      const stored = await this.#read(line.stream, sent[0]!.commit.version - 1, { readConcern: { level: "local" } });
      if (stored[0]?.id === sent[0]!.commit.id) {
        await this.#confirm(sent[0]!.commit);
        const same = sent.filter(({ commit }, i) => stored[i]?.id === commit.id);
        line.sending = same;
        this.#take(line);
        for (const { commit, reject } of sent.slice(same.length)) reject(new Conflict(commit.stream, commit.version));
        if (stored.length > same.length) this.#ends.delete(line.stream);
        return;
      }
      this.#ends.delete(line.stream);
      const refused = [...sent, ...line.waiting.splice(0)];
      for (const { commit, reject } of refused) reject(new Conflict(commit.stream, commit.version));
    } catch (error) {
      this.#fail(line, error);
    }
  }

  /** What is there may be on one server only; once a write behind it is on a majority, so is it. */
  async #confirm({ stream, version }: Commit) {
    const { matchedCount } = await this.#host.ask(() => this.#collection.updateOne({ _id: idOf(stream, version) }, { $inc: { again: 1 } }));
    if (matchedCount === 0) throw unavailable(new Error("it stood on a server that is the primary no more"));
  }

  #take(line: Line) {
    const sent = line.sending!;
    if (sent.length === 0) return;
    const last = sent.at(-1)!.commit;
    this.#ends.set(line.stream, { version: last.version, id: last.id });
    this.#stored?.(sent.map(({ commit }) => commit));
    for (const append of sent) void this.#settle(append);
    line.sending = [];
  }

  async #settle({ alongside, resolve, reject }: Append) {
    try {
      await alongside?.after?.();
      resolve();
    } catch (error) {
      reject(error);
    }
  }

  /** What was sent is in doubt, and all that waits was decided on it. */
  #fail(line: Line, error: unknown) {
    this.#ends.delete(line.stream);
    for (const { reject } of [...line.sending!, ...line.waiting.splice(0)]) reject(error);
  }

  /** What follows a version, in whole documents: at least the one that holds the next. */
  async #read(stream: string, version: number, options: FindOptions = {}): Promise<Commit[]> {
    const ask = () => readStream(this.#collection, stream, version, Number.POSITIVE_INFINITY, undefined, options);
    return (await this.#host.ask(ask)).commits;
  }
}
