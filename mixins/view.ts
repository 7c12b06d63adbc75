import { LRUCache } from "lru-cache";
import type { Logger } from "moleculer";
import { type Log, openLog } from "./bus/log.ts";
import { Rejected, Unavailable } from "./core/errors.ts";
import { Follower } from "./follower.ts";
import { Lease } from "./runtime/lease.ts";
import type { CursorStore } from "./storage/cursor-store.ts";
import type { LeaseStore } from "./storage/lease-store.ts";
import { openCursorStore, openLeaseStore, openViewFile } from "./storage/open.ts";
import type { Range, Soon, Total, ViewFile, ViewStore } from "./storage/view-store.ts";
import { type Page, type PageParams, readPage } from "./view.pages.ts";
import { type Projection, ViewSink } from "./view.sink.ts";

export interface Progress {
  generation: number;
  position: number;
  end: number;
  rebuilding?: { generation: number; position: number; end: number };
}

const PACE = 250; // milliseconds between two batches under load
const PAGES = 500; // answers kept as they were given
const FRESH = 200; // milliseconds for which a report answers without recomputing what has changed meanwhile
const DEAD = 4_500; // milliseconds until a lease that nobody renews has passed on
const SETTLE = 1_000; // milliseconds until changed buckets are recomputed though nobody asks

/**
 * One projection of a service in this process: follows the source, answers lists and totals, and can be made anew while it
 * serves. A definition with another number is a view of its own, so nodes of two versions do not write into each other's.
 */
export class View<D extends object> {
  readonly #spec: Projection<D, never>;
  readonly #key: string;
  readonly #logger: Logger;
  readonly #file: ViewFile;
  readonly #cursors: CursorStore;
  readonly #leases: LeaseStore;
  readonly #pages = new LRUCache<string, { stamp: string; page: Page<D> }>({ max: PAGES });
  readonly #stopping = Promise.withResolvers<void>();
  #stopped = false;
  #serving!: Generation<D>;
  #next?: Generation<D>;
  #rebuilding?: Promise<void>;
  readonly #retired: Promise<void>[] = [];
  #outside = -1;
  #recomputed = 0;
  #recomputing?: Promise<void>;
  #timer?: NodeJS.Timeout;

  constructor(room: string, spec: Projection<D, never>, logger: Logger) {
    this.#spec = spec;
    this.#key = `${spec.name}_${spec.number}`;
    this.#logger = logger;
    this.#file = openViewFile(room);
    this.#cursors = openCursorStore(room);
    this.#leases = openLeaseStore(room);
  }

  get cursors(): CursorStore {
    return this.#cursors;
  }

  get follower(): Follower {
    return this.#serving.follower;
  }

  get followerName(): string {
    return this.#serving.name;
  }

  /** Resolves when the view can be asked: at once, but where this definition of it has never come to the end of the record before. */
  async start() {
    const stored = await this.#file.serving(this.#key);
    this.#serve(stored?.generation ?? 1);
    if (!stored) {
      await this.#caughtUp(this.#serving);
      await this.#file.serve(this.#key, 1, this.#spec.number);
    }
    if (this.#spec.rollup) this.#timer = setInterval(() => void this.#recomputeSoon().catch(() => {}), SETTLE).unref();
  }

  async stop() {
    this.#stopped = true;
    this.#stopping.resolve();
    clearInterval(this.#timer);
    for (const generation of [this.#serving, this.#next]) if (generation) this.#retire(generation);
    await Promise.all([...this.#retired, this.#rebuilding?.catch(() => {}), this.#recomputing?.catch(() => {})]);
    await Promise.all([this.#cursors.close(), this.#leases.close(), this.#file.close()]);
  }

  /** A page of the list; the same frozen object as long as nothing has changed. */
  async page(params: PageParams): Promise<Page<D>> {
    const { seen, reaches, ...asked } = params;
    if (seen) await this.#seen(seen, reaches);
    const now = this.#stamp();
    const stamp = now instanceof Promise ? await now : now;
    const key = JSON.stringify(asked); // all of it: among it whose documents the asker reaches
    const kept = this.#pages.get(key);
    if (kept?.stamp === stamp) return kept.page;
    const page = await readPage(this.#serving.store, this.#spec, params);
    this.#pages.set(key, { stamp, page });
    return page;
  }

  /** Sums of the rollup; what has changed a moment ago may be missing unless `seen` asks for it. */
  async totals(dimension: string, range: Range, seen?: string): Promise<Total[]> {
    if (seen) {
      await this.#seen(seen);
      await this.#recomputing; // one that runs may have begun before that was seen
    }
    await this.#stamp();
    if (seen || Date.now() - this.#recomputed > FRESH) await this.#recomputeSoon();
    return this.#serving.store.totals(dimension, range);
  }

  async progress(): Promise<Progress> {
    const next = this.#next;
    return {
      generation: this.#serving.store.generation,
      ...(await this.#serving.follower.progress()),
      ...(next && { rebuilding: { generation: next.store.generation, ...(await next.follower.progress()) } }),
    };
  }

  /**
   * Makes the view anew from the whole record, beside the one that serves, and puts it in its place once it has caught up.
   * Rejects with `REBUILD_RUNS` while one does, in whichever process, and with `VIEW_STOPPED` where this one stops.
   */
  rebuild(): Promise<void> {
    if (this.#rebuilding) return Promise.reject(rebuildRuns());
    this.#rebuilding = this.#rebuild().finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  /** Everything the view holds, as lines of text in a fixed order. */
  dump(): Promise<string[]> {
    return Array.fromAsync(this.#serving.store.dump());
  }

  async #rebuild() {
    await this.#stamp(); // what another process has rebuilt is what is rebuilt now
    const generation = this.#serving.store.generation + 1;
    const lease = this.#lease(generation);
    await lease.open();
    let next: Generation<D> | undefined;
    try {
      const mine = await lease.within(DEAD); // who has it may be dead
      await this.#stamp(); // or may have put it in place meanwhile
      if (!mine || this.#serving.store.generation >= generation) throw rebuildRuns();
      for (const old of [generation, generation - 2]) await this.#drop(old); // what an interrupted rebuild left, and a node that stopped
      next = this.#generation(generation, lease);
      this.#next = next;
      next.follower.start();
      await this.#caughtUp(next);
      for (let buckets = await next.store.dirty(100); buckets.length > 0; buckets = await next.store.dirty(100)) {
        for (const bucket of buckets) await next.store.recompute(bucket);
      }
      await this.#file.serve(this.#key, generation, this.#spec.number);
      const old = this.#serving;
      this.#serving = next;
      await this.#retire(old);
      await this.#recomputing?.catch(() => {}); // it may be at work in the tables that go now
      await this.#cursors.drop(this.#nameOf(old.store.generation));
      await this.#file.retire(this.#key, old.store.generation);
    } catch (error) {
      if (!next)
        await lease.close(); // or nobody else could
      else if (this.#serving !== next) await this.#retire(next);
      throw error;
    } finally {
      this.#next = undefined;
    }
  }

  /** Resolves once it has taken in all that there is. Rejects with `VIEW_STOPPED` where this process stops before. */
  async #caughtUp({ follower }: Generation<D>) {
    for (;;) {
      const change = Promise.withResolvers<void>();
      const silence = this.#cursors.listen(change.resolve);
      try {
        const { position, end } = await follower.progress();
        if (position >= end) return;
        await Promise.race([change.promise, this.#stopping.promise]);
      } finally {
        silence();
      }
      if (this.#stopped) throw new Unavailable("VIEW_STOPPED", "This node stops before the view was made; ask again");
    }
  }

  async #drop(generation: number) {
    await this.#cursors.drop(this.#nameOf(generation));
    await this.#file.drop(this.#key, generation);
  }

  #serve(generation: number) {
    const lease = this.#lease(generation);
    this.#serving = this.#generation(generation, lease);
    this.#serving.follower.start();
    void lease.open();
  }

  #retire(generation: Generation<D>): Promise<void> {
    const { follower, lease, log } = generation;
    generation.retired ??= follower.stop().then(async () => void (await Promise.all([lease.close(), log.close()])));
    this.#retired.push(generation.retired);
    return generation.retired;
  }

  #nameOf(generation: number): string {
    return `view/${this.#key}/${generation}`;
  }

  /** Who fills this generation: one process at a time, be it the one that serves or one that is being made. */
  #lease(generation: number): Lease {
    const name = this.#nameOf(generation);
    return new Lease(this.#leases, name, () => [this.#serving, this.#next].find((g) => g?.name === name)?.follower.takeOver());
  }

  #generation(generation: number, lease: Lease): Generation<D> {
    const { source } = this.#spec;
    const name = this.#nameOf(generation);
    const store = this.#file.open({ ...this.#spec, name: this.#key }, generation);
    const mayWork = () => {
      Promise.resolve(this.#stamp()).catch(() => {}); // another process may have put a generation in this one's place, though nobody asks for a list here
      return lease.held && (this.#serving.name === name || this.#next?.name === name);
    };
    const log = openLog(source);
    const options = { name, source, log, cursors: this.#cursors, logger: this.#logger, mayWork };
    const follower = new Follower({ ...options, pace: PACE, sink: new ViewSink(this.#spec, store) });
    return { name, store, follower, lease, log };
  }

  /** Another process may have stored, or put another generation in place. */
  #stamp(): Soon<string> {
    const outside = this.#file.outside();
    if (outside === this.#outside) return this.#stampOf(outside);
    this.#outside = outside;
    const follow = (serving?: { generation: number }) => {
      const generation = serving?.generation ?? 0; // an answer that comes late may speak of one before
      if (generation > this.#serving.store.generation && !this.#next && !this.#stopped) {
        void this.#retire(this.#serving);
        this.#serve(generation);
      }
      return this.#stampOf(outside);
    };
    const serving = this.#file.serving(this.#key);
    return serving instanceof Promise ? serving.then(follow) : follow(serving);
  }

  #stampOf(outside: number): string {
    const { store, follower } = this.#serving;
    return `${store.generation}.${follower.changes}.${outside}.${this.#recomputed}`;
  }

  async #seen(seen: string, reaches?: PageParams["reaches"]) {
    const [, stream, version] = /^(.+)@(\d{1,12})$/.exec(seen) ?? [];
    if (!stream) throw new Rejected("SEEN_INVALID", "seen must be <id>@<version>, as a write answered them", 400);
    for (;;) {
      await this.#stamp();
      const serving = this.#serving;
      const hidden = reaches && !(await reaches(stream));
      const why = await serving.follower.seen(stream, Number(version), hidden).catch((error) => error);
      await this.#stamp();
      if (serving === this.#serving && why) throw why;
      if (serving === this.#serving) return; // what another generation has seen says nothing of this one
    }
  }

  #recomputeSoon(): Promise<void> {
    this.#recomputing ??= this.#recompute().finally(() => {
      this.#recomputing = undefined;
    });
    return this.#recomputing;
  }

  async #recompute() {
    const { store } = this.#serving;
    const buckets = await store.dirty(100_000);
    for (const bucket of buckets) {
      if (store !== this.#serving.store) break; // a rebuild has put another one in its place
      await store.recompute(bucket);
    }
    if (buckets.length > 0) this.#recomputed = Date.now();
  }
}

interface Generation<D> {
  name: string;
  store: ViewStore<D>;
  follower: Follower;
  lease: Lease;
  log: Log;
  /** Set once it is let go of. */
  retired?: Promise<void>;
}

const rebuildRuns = () => new Rejected("REBUILD_RUNS", "This view is being rebuilt already; see its progress", 409);
