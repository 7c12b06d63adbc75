import { setImmediate as breathe } from "node:timers/promises";
import type { Logger } from "moleculer";
import type { Log } from "./bus/log.ts";
import { Unavailable } from "./core/errors.ts";
import { type Ordered, ordered } from "./follower.order.ts";
import { BACKOFF, jittered, parkedOf, tellParked } from "./follower.parked.ts";
import type { CursorStore, Parked, Step } from "./storage/cursor-store.ts";
import type { Logged } from "./storage/event-store.ts";

/** Where what a follower reads goes to. */
export interface Sink {
  /** Told which commits come next, so that what it needs for them can be fetched at once. */
  prepare?(commits: readonly Logged[]): void | Promise<void>;
  /** Takes one commit in. What it throws parks the commit's stream; nothing of that commit may stay. */
  take(commit: Logged): void | Promise<void>;
  /** What came of the commits since the last call, as one write, which must not await where the store has transactions; `dropped` when it was not stored. */
  flush(): () => void | Promise<void>;
  dropped(): void;
}

export interface FollowerOptions {
  name: string;
  source: string;
  log: Log;
  cursors: CursorStore;
  sink: Sink;
  /** Whether this process is the one that works now. */
  mayWork: () => boolean;
  logger: Logger;
  maxAttempts?: number;
  /** Milliseconds from one batch to the next while many commits come: what comes together of one stream is stored once. */
  pace?: number;
}

const BATCH = 2_000;
const MANY = 50; // commits in a batch from which on it pays to wait for more
const LINGER = 5; // milliseconds from a commit to the look for it, so that many are taken in at once
const MAX_PARKED = 1_000; // beyond so many, it is not the streams that are wrong
const PATIENCE = 2_000;
const LOOK = 15; // milliseconds between two looks at what another process may have taken in

/**
 * A cursor on a room's log. It takes commits in batches, in the log's order, and stores what follows from them and how
 * far it has come in one transaction, so that nothing is missed and nothing counts twice, whatever is killed when.
 * A commit that cannot be taken in parks its stream: it is tried again with backoff and jitter, while all other streams
 * go on; after `maxAttempts` it is a dead letter, and its stream waits for somebody to replay or discard it.
 */
export class Follower {
  readonly #o: FollowerOptions;
  readonly #maxAttempts: number;
  readonly #silence: (() => void)[] = [];
  #timer?: NodeJS.Timeout;
  #due?: NodeJS.Timeout;
  #running?: Promise<void>;
  #again = false;
  #linger = LINGER;
  /** How many wait to see a version. */
  #awaited = 0;
  /** Where this process left the cursor; undefined where another one may have worked since. */
  #at?: string;
  #anew = false;
  #stopped = false;
  #paused = 0;
  /** Grows whenever what it stores has changed here. */
  changes = 0;

  /** Whose events it takes in, and by what. */
  get following(): Pick<FollowerOptions, "name" | "source" | "log" | "cursors" | "mayWork"> {
    return this.#o;
  }

  constructor(options: FollowerOptions) {
    this.#o = options;
    this.#maxAttempts = options.maxAttempts ?? 8;
  }

  start() {
    const wake = () => this.wake();
    this.#silence.push(this.#o.log.listen(wake), this.#o.cursors.listen(wake));
    this.wake(0);
  }

  async stop() {
    this.#stopped = true;
    for (const silence of this.#silence) silence();
    clearTimeout(this.#timer);
    clearTimeout(this.#due);
    await this.#running;
  }

  /** Does something while nothing is taken in here. */
  pause<T>(work: () => Promise<T>): Promise<T> {
    this.#paused++;
    const done = Promise.resolve(this.#running).then(work);
    return done.finally(() => {
      this.#paused--;
      this.takeOver();
    });
  }

  /** Looks for what is new, soon. */
  wake(linger = this.#awaited > 0 ? 0 : this.#linger) {
    if (this.#stopped || this.#paused > 0 || (this.#timer && linger > 0)) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        if (this.#again) this.wake();
        this.#again = false;
      });
    }, linger);
  }

  /** Sets to work what another process may have worked on until now. */
  takeOver() {
    this.#anew = true; // not at once: what a run has in its hands must reach the store
    this.wake(0);
  }

  /** How far it has come, and where the log ends. */
  async progress(): Promise<{ position: number; end: number }> {
    const { name, source, cursors, log } = this.#o;
    return log.progress(await cursors.cursor(name, source));
  }

  /** Resolves once the stream's version has been taken in. Throws `VIEW_BEHIND` after two seconds, or where its stream is parked. A hidden stream is as good as none. */
  async seen(stream: string, version: number, hidden = false): Promise<void> {
    const { cursors } = this.#o;
    const start = Date.now();
    const behind = (why: string) =>
      new Unavailable("VIEW_BEHIND", `The view has not seen ${stream}@${version}: ${why}`, { stream, version });
    this.#awaited++;
    try {
      for (;;) {
        const found = await this.#find(hidden ? "" : stream, version);
        if (found === "seen") return;
        if (typeof found === "object") throw behind(`its event ${found.type} could not be taken in (see v1.events.deadLetters.list)`);
        const left = start + PATIENCE - Date.now();
        if (left <= 0) throw behind(found === "coming" ? "it is still on its way; ask again" : "there is no such version");
        this.wake(0);
        await this.#change(cursors.reached ? Math.min(left, LOOK) : left);
      }
    } finally {
      this.#awaited--;
    }
  }

  /** Whether the stream's version has been taken in; what keeps it back where its stream is parked. */
  async #find(stream: string, version: number): Promise<"seen" | "coming" | "unknown" | Parked> {
    const { name, source, cursors, log } = this.#o;
    const [commit] = cursors.reached ? [] : await log.read(stream, version - 1, 1);
    const passed = cursors.reached
      ? ((await cursors.reached(name, source, [stream])).get(stream) ?? 0) >= version
      : commit !== undefined && log.passed(commit, await cursors.cursor(name, source));
    if (!passed && !cursors.reached) return commit ? "coming" : "unknown";
    if (passed && cursors.reached) return "seen";
    const parked = (await cursors.parked(name, source)).find((p) => p.stream === stream && p.version <= version);
    if (parked || passed) return parked ?? "seen";
    return (await log.read(stream, version - 1, 1)).length > 0 ? "coming" : "unknown";
  }

  #change(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        silence();
        resolve();
      };
      const timer = setTimeout(done, patience);
      const silence = this.#o.cursors.listen(done);
    });
  }

  async #run() {
    const { name, source, log, cursors, sink, mayWork, logger, pace = LINGER } = this.#o;
    try {
      for (let more = true; more; ) {
        if (this.#stopped || this.#paused > 0) return;
        if (!mayWork()) return this.#forget();
        const from = await cursors.cursor(name, source);
        if (from !== this.#at || this.#anew) this.#forget();
        this.#anew = false;
        let parked = await cursors.parked(name, source);
        const due = parked.filter(({ nextAt }) => nextAt && nextAt <= Date.now());
        if (due.length > 0) {
          await this.#retry(due, from);
          parked = await cursors.parked(name, source); // a stream that is free again must not be passed over
        }
        if (parked.length >= MAX_PARKED) return logger.error({ event: "follower.stopped", follower: name, parked: parked.length });
        const waiting = new Set(parked.map(({ stream }) => stream));
        const { commits, next } = await log.log(from, BATCH);
        this.#at = from;
        this.#linger = commits.length < MANY ? LINGER : pace;
        if (next === from) break;
        const fresh = await this.#order(commits.filter(({ stream }) => !waiting.has(stream)));
        await sink.prepare?.(fresh.commits);
        const park = await this.#takeAll(fresh.commits);
        for (const { stream, version } of park) fresh.reached?.set(stream, version - 1);
        const stored = await this.#store(from, fresh.more ? from : next, { park, unpark: [], reached: fresh.reached });
        more = stored && (commits.more || commits.length === BATCH || cursors.reached !== undefined);
        await breathe();
      }
      await this.#sleepUntilDue();
    } catch (error) {
      this.#forget();
      logger.warn({ event: "follower.failed", follower: name, source, error: String(error) });
      if (!this.#stopped) this.#due = setTimeout(() => this.wake(), jittered(BACKOFF * 4));
    }
  }

  /** What the sink kept holds only as long as nobody else works. */
  #forget() {
    this.#at = undefined;
    this.#o.sink.dropped();
  }

  /** What is new of these commits, each stream's in their order and without a gap. */
  async #order(commits: Logged[]): Promise<Ordered> {
    const { name, source, log, cursors } = this.#o;
    if (!cursors.reached) return { commits };
    const reached = await cursors.reached(name, source, [...new Set(commits.map(({ stream }) => stream))]);
    return ordered(commits, reached, (stream, after) => log.read(stream, after, BATCH));
  }

  async #store(from: string, to: string, step: Step): Promise<boolean> {
    const { name, source, cursors, sink } = this.#o;
    const stored = await cursors.advance(name, source, from, to, step, sink.flush());
    if (!stored) this.#forget();
    else {
      this.changes++;
      this.#at = to;
    }
    return stored;
  }

  /** Each stream's commits one after another; those of different streams beside each other, where taking one in means waiting. */
  async #takeAll(commits: Logged[]): Promise<Parked[]> {
    const parked = new Map<string, Parked>();
    const busy = new Map<string, Promise<void>>();
    const fail = (commit: Logged) => (error: unknown) => void parked.set(commit.stream, this.#park(commit, error, 1));
    for (const commit of commits) {
      const { stream } = commit;
      const [before, take] = [busy.get(stream), () => (parked.has(stream) ? undefined : this.#o.sink.take(commit))];
      try {
        const taking = before ? before.then(take) : take();
        if (taking) busy.set(stream, taking.catch(fail(commit)));
      } catch (error) {
        fail(commit)(error);
      }
    }
    await Promise.all(busy.values());
    return [...parked.values()];
  }

  /** Runs parked streams from where they stopped up to the cursor; what fails again waits longer, what comes through is free. */
  async #retry(due: Parked[], cursor: string) {
    const { log, cursors, sink } = this.#o;
    for (const parked of due) {
      for (let version = parked.version, stands = version; ; stands = version) {
        const read = await log.read(parked.stream, version - 1, BATCH);
        const page = read.filter((commit) => log.passed(commit, cursor));
        let failed: Parked | undefined;
        await sink.prepare?.(page);
        for (const commit of page) {
          try {
            await sink.take(commit);
            version = commit.version + 1;
          } catch (error) {
            failed = this.#park(commit, error, commit.version === parked.version ? parked.attempts + 1 : 1);
            break;
          }
        }
        const onward = read.more && page.length === read.length && !failed;
        const park = failed ? [failed] : onward ? [{ ...parked, version }] : [];
        const reached = cursors.reached && new Map([[parked.stream, version - 1]]);
        const free = park.length > 0 ? [] : [{ stream: parked.stream, version: stands }];
        const stored = await this.#store(cursor, cursor, { park, unpark: free, reached });
        if (!stored) return;
        if (!onward) break;
      }
    }
  }

  #park(commit: Logged, error: unknown, attempts: number): Parked {
    const parked = parkedOf(this.#o.source, commit, error, attempts, attempts >= this.#maxAttempts);
    tellParked(this.#o.logger, this.#o.name, parked);
    return parked;
  }

  async #sleepUntilDue() {
    clearTimeout(this.#due);
    const due = (await this.#o.cursors.parked(this.#o.name, this.#o.source)).flatMap(({ nextAt }) => nextAt ?? []);
    if (due.length > 0 && !this.#stopped) this.#due = setTimeout(() => this.wake(0), Math.max(1, Math.min(...due) - Date.now()));
  }
}
