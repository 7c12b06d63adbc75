import { LRUCache } from "lru-cache";
import type { Logger } from "moleculer";
import { type Log, openLog } from "./bus/log.ts";
import { Rejected } from "./core/errors.ts";
import { freeze } from "./core/freeze.ts";
import { Follower } from "./follower.ts";
import { Lease } from "./runtime/lease.ts";
import type { CursorStore } from "./storage/cursor-store.ts";
import type { LeaseStore } from "./storage/lease-store.ts";
import { openViewFile } from "./storage/open.ts";
import type { Total, ViewFile, ViewQuery, ViewStore } from "./storage/view-store.ts";
import { type Projection, ViewSink } from "./view.sink.ts";

export interface Page<D> {
  items: D[];
  next?: string;
}

/** What a list is asked for, as it comes from the outside. */
export interface PageParams {
  limit?: number;
  after?: string;
  from?: string;
  to?: string;
  descending?: boolean;
  seen?: string;
  where?: Record<string, string | undefined>;
}

export interface Progress {
  generation: number;
  position: number;
  end: number;
  rebuilding?: { generation: number; position: number; end: number };
}

const PAGES = 500; // answers kept as they were given
const FRESH = 200; // milliseconds for which a report answers without recomputing what has changed meanwhile
const SETTLE = 1_000; // milliseconds until changed buckets are recomputed though nobody asks

/** One projection of a service in this process: follows the source, answers lists and totals, and can be made anew while it serves. */
export class View<D extends object> {
  readonly #spec: Projection<D, never>;
  readonly #logger: Logger;
  readonly #file: ViewFile;
  readonly #cursors: CursorStore;
  readonly #leases: LeaseStore;
  readonly #lease: Lease;
  readonly #log: Log;
  readonly #pages = new LRUCache<string, { stamp: string; page: Page<D> }>({ max: PAGES });
  #serving!: Generation<D>;
  #next?: Generation<D>;
  #outside = -1;
  #recomputed = 0;
  #recomputing?: Promise<void>;
  #timer?: NodeJS.Timeout;

  constructor(room: string, spec: Projection<D, never>, logger: Logger) {
    this.#spec = spec;
    this.#logger = logger;
    const { file, cursors, leases } = openViewFile(room);
    this.#file = file;
    this.#cursors = cursors;
    this.#leases = leases;
    this.#lease = new Lease(leases, `view/${spec.name}`, () => this.#serving?.follower.takeOver());
    this.#log = openLog(spec.source);
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

  async start() {
    const { name, number } = this.#spec;
    const stored = this.#file.serving(name);
    this.#serve(stored?.generation ?? 1);
    await this.#lease.open();
    if (!stored) await this.#file.serve(name, 1, number);
    else if (stored.number !== number)
      void this.rebuild().catch((error) => this.#logger.error({ event: "view.rebuild_failed", view: name, error: String(error) }));
    if (this.#spec.rollup) this.#timer = setInterval(() => void this.#recomputeSoon().catch(() => {}), SETTLE).unref();
  }

  async stop() {
    clearInterval(this.#timer);
    await Promise.all([this.#serving?.follower.stop(), this.#next?.follower.stop(), this.#recomputing?.catch(() => {})]);
    await this.#lease.close();
    await Promise.all([this.#log.close(), this.#cursors.close(), this.#leases.close(), this.#file.close()]);
  }

  /** A page of the list; the same frozen object as long as nothing has changed. */
  async page(params: PageParams): Promise<Page<D>> {
    if (params.seen) await this.#seen(params.seen);
    const stamp = this.#stamp();
    const key = JSON.stringify([params.limit, params.after, params.from, params.to, params.descending, params.where]);
    const kept = this.#pages.get(key);
    if (kept?.stamp === stamp) return kept.page;
    const limit = params.limit ?? 50;
    const query: ViewQuery = {
      where: params.where ?? {},
      from: params.from,
      to: params.to,
      descending: params.descending ?? false,
      after: params.after === undefined ? undefined : fromCursor(params.after),
      limit: limit + 1,
    };
    const rows = this.#serving.store.find(query);
    const { show = (document: D) => document } = this.#spec;
    const items = rows.slice(0, limit).map(({ document }) => show(document) as D);
    const last = rows[limit - 1];
    const page = freeze(rows.length > limit && last ? { items, next: toCursor(last.order, last.id) } : { items });
    this.#pages.set(key, { stamp, page });
    return page;
  }

  /** Sums of the rollup; what has changed a moment ago may be missing unless `seen` asks for it. */
  async totals(
    dimension: string,
    range: { from?: string; to?: string; currency?: string; prefix?: number },
    seen?: string,
  ): Promise<Total[]> {
    if (seen) {
      await this.#seen(seen);
      await this.#recomputing; // one that runs may have begun before that was seen
    }
    this.#stamp();
    if (seen || Date.now() - this.#recomputed > FRESH) await this.#recomputeSoon();
    return this.#serving.store.totals(dimension, range);
  }

  /** Changes whenever an answer might. */
  stamp(): string {
    return this.#stamp();
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
   * Rejects with `REBUILD_RUNS` while one does.
   */
  async rebuild(): Promise<void> {
    if (this.#next) throw new Rejected("REBUILD_RUNS", "This view is being rebuilt already; see its progress", 409);
    const { name, number } = this.#spec;
    const generation = this.#serving.store.generation + 1;
    await this.#drop(generation); // what an interrupted rebuild left
    const next = this.#generation(generation);
    this.#next = next;
    try {
      next.follower.start();
      for (;;) {
        const { position, end } = await next.follower.progress();
        if (position >= end) break;
        await new Promise<void>((resolve) => {
          const silence = this.#cursors.listen(() => {
            silence();
            resolve();
          });
        });
      }
      for (let buckets = next.store.dirty(100); buckets.length > 0; buckets = next.store.dirty(100)) {
        for (const bucket of buckets) await next.store.recompute(bucket);
      }
      await this.#file.serve(name, generation, number);
      const old = this.#serving;
      this.#serving = next;
      await old.follower.stop();
      await this.#drop(old.store.generation);
    } finally {
      this.#next = undefined;
    }
  }

  /** Everything the view holds, as lines of text in a fixed order. */
  dump(): string[] {
    return [...this.#serving.store.dump()];
  }

  async #drop(generation: number) {
    await this.#cursors.drop(followerOf(this.#spec.name, generation));
    await this.#file.drop(this.#spec.name, generation);
  }

  #serve(generation: number) {
    this.#serving = this.#generation(generation);
    this.#serving.follower.start();
  }

  #generation(generation: number): Generation<D> {
    const { source } = this.#spec;
    const name = followerOf(this.#spec.name, generation);
    const store = this.#file.open(this.#spec, generation);
    const follower = new Follower({
      name,
      source,
      log: this.#log,
      cursors: this.#cursors,
      sink: new ViewSink(this.#spec, store),
      mayWork: () => this.#lease.held || this.#next?.name === name,
      logger: this.#logger,
    });
    return { name, store, follower };
  }

  /** Another process may have stored, or put another generation in place. */
  #stamp(): string {
    const outside = this.#file.outside();
    if (outside !== this.#outside) {
      this.#outside = outside;
      const generation = this.#file.serving(this.#spec.name)?.generation;
      if (generation !== undefined && generation !== this.#serving.store.generation && !this.#next) {
        void this.#serving.follower.stop();
        this.#serve(generation);
      }
    }
    const { store, follower } = this.#serving;
    return `${store.generation}.${follower.changes}.${outside}.${this.#recomputed}`;
  }

  async #seen(seen: string) {
    const [, stream, version] = /^(.+)@(\d{1,12})$/.exec(seen) ?? [];
    if (!stream) throw new Rejected("SEEN_INVALID", "seen must be <id>@<version>, as a write answered them", 400);
    await this.#serving.follower.seen(stream, Number(version));
  }

  #recomputeSoon(): Promise<void> {
    this.#recomputing ??= this.#recompute().finally(() => {
      this.#recomputing = undefined;
    });
    return this.#recomputing;
  }

  async #recompute() {
    const { store } = this.#serving;
    const buckets = store.dirty(1_000);
    for (const bucket of buckets) await store.recompute(bucket);
    if (buckets.length > 0) this.#recomputed = Date.now();
  }
}

interface Generation<D> {
  name: string;
  store: ViewStore<D>;
  follower: Follower;
}

const followerOf = (view: string, generation: number) => `view/${view}/${generation}`;

const toCursor = (order: string, id: string) => Buffer.from(JSON.stringify([order, id])).toString("base64url");

const fromCursor = (cursor: string): [string, string] => {
  try {
    const [order, id] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    if (typeof order === "string" && typeof id === "string") return [order, id];
  } catch {}
  throw new Rejected("CURSOR_INVALID", "after must be the `next` of a page before, as it was given", 400);
};
