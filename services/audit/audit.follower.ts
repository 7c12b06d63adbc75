import type { Service } from "moleculer";
import { openLog } from "../../mixins/bus/log.ts";
import type { Following } from "../../mixins/dead-letters.actions.ts";
import { Follower, type Sink } from "../../mixins/follower.ts";
import { Lease } from "../../mixins/runtime/lease.ts";
import type { AuditStore, Chained } from "../../mixins/storage/audit-store.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";
import { openCursorStore, openLeaseStore } from "../../mixins/storage/open.ts";
import { type Draft, entriesOf } from "./audit.entries.ts";

const PACE = 250; // milliseconds between two batches under load: what comes together shares a transaction and a signature

/** Writes down what a room commits. What it has written and how far it has come are one write, or recognised when it comes again. */
export class AuditFollower implements Following, Sink {
  readonly cursors;
  readonly follower: Follower;
  readonly followerName: string;
  readonly #source: string;
  readonly #store: AuditStore;
  readonly #chained: Chained;
  readonly #log;
  readonly #leases;
  readonly #lease: Lease;
  #drafts: Draft[] = [];

  constructor(service: Service, source: string, store: AuditStore, chained: Chained) {
    this.#source = source;
    this.#store = store;
    this.#chained = chained;
    this.#log = openLog(source);
    this.#leases = openLeaseStore(service.name);
    this.cursors = openCursorStore(service.name);
    this.followerName = `audit/${source}`;
    this.#lease = new Lease(this.#leases, this.followerName, () => this.follower.takeOver());
    this.follower = new Follower({
      name: this.followerName,
      source,
      log: this.#log,
      cursors: this.cursors,
      sink: this,
      mayWork: () => this.#lease.held,
      logger: service.logger,
      pace: PACE,
    });
  }

  async start(): Promise<void> {
    this.follower.start();
    await this.#lease.open();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
    await this.#lease.close();
    await Promise.all([this.#log.close(), this.cursors.close(), this.#leases.close()]);
  }

  take(commit: Logged): void {
    this.#drafts.push(...entriesOf(this.#source, commit));
  }

  flush(): () => void | Promise<void> {
    const drafts = this.#drafts;
    this.#drafts = [];
    return () => this.#store.append(drafts, this.#chained);
  }

  dropped(): void {
    this.#drafts = [];
  }
}
