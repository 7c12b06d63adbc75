import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "moleculer";
import type { JetStreamClient } from "nats";
import { Lease } from "../runtime/lease.ts";
import type { Logged } from "../storage/event-store.ts";
import type { LeaseStore } from "../storage/lease-store.ts";
import { openLeaseStore } from "../storage/open.ts";
import type { Outbox } from "../storage/outbox.ts";
import { JetStreamHost, subjectOf } from "./jetstream.host.ts";
import { encode } from "./message.ts";

const AT_ONCE = 500; // messages on their way
const MOST_WAITING = 20_000; // commits; what is beyond the sweeper finds
const SWEEP = 1_000; // milliseconds between two looks for what nobody published
const GRACE = 3_000; // milliseconds that whoever committed has for publishing it himself
const PAGE = 500;
const PATIENCE = 2_500; // milliseconds with a bus that does not answer, when it is time to go

/**
 * Takes what a room commits to its stream, and marks it. The commit is the outbox entry: what is not marked, because its
 * node died or the bus was away, one process of the room publishes later. What is sent twice carries the same id.
 */
export class Publisher {
  readonly #room: string;
  readonly #outbox: Outbox;
  readonly #logger: Logger;
  readonly #host = JetStreamHost.open();
  readonly #leases: LeaseStore;
  readonly #lease: Lease;
  readonly #opened: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #waiting: Logged[] = [];
  #onTheirWay: Logged[] = [];
  #pumping?: Promise<void>;
  #sweeping?: Promise<void>;
  /** Since when the bus takes nothing; what is committed meanwhile is left to the sweeper. */
  #failingSince?: number;
  /** The stream that is known to be there, and the last number that it gave to a message of ours. */
  #stream?: { epoch: string; end: number };
  #closed = false;

  constructor(room: string, outbox: Outbox, logger: Logger) {
    this.#room = room;
    this.#outbox = outbox;
    this.#logger = logger;
    this.#leases = openLeaseStore(room);
    this.#lease = new Lease(this.#leases, "outbox");
    this.#opened = this.#lease.open();
    this.#look().catch(() => {}); // at once: who follows the room waits for its stream
    outbox.onCommitted = this.#added;
    this.#timer = setInterval(() => {
      this.#sweeping ??= this.#sweep().finally(() => {
        this.#sweeping = undefined;
      });
    }, SWEEP).unref();
  }

  readonly #added = (commits: readonly Logged[]) => this.#add(commits);

  lag(): { waiting: number; age: number } {
    const [oldest] = this.#onTheirWay.length > 0 ? this.#onTheirWay : this.#waiting;
    const since = Math.min(oldest?.at ?? Number.POSITIVE_INFINITY, this.#failingSince ?? Number.POSITIVE_INFINITY);
    return { waiting: this.#onTheirWay.length + this.#waiting.length, age: Number.isFinite(since) ? Math.max(0, Date.now() - since) : 0 };
  }

  /** Publishes what waits, and lets go; what the bus does not take in time is left to the sweeper of another node. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#outbox.onCommitted === this.#added) this.#outbox.onCommitted = undefined;
    await Promise.race([this.#pumping, delay(PATIENCE, undefined, { ref: false })]);
    this.#closed = true;
    await this.#sweeping;
    await this.#opened;
    await this.#lease.close();
    await this.#leases.close();
    await this.#host.close();
  }

  #add(commits: readonly Logged[]) {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(...commits);
    this.#pumping ??= this.#pump();
  }

  async #pump() {
    await new Promise(setImmediate); // what is committed together goes together
    while (this.#waiting.length > 0) {
      try {
        this.#onTheirWay = this.#next();
        await this.#publish(this.#onTheirWay);
        this.#tell(false);
      } catch (error) {
        this.#waiting = []; // marked by nobody: the sweeper finds them
        this.#tell(true, error);
      } finally {
        this.#onTheirWay = [];
      }
    }
    this.#pumping = undefined; // in the same turn in which nothing waits any more
  }

  /** Commits of one document share its mark, and stand together: all of them go at once. */
  #next(): Logged[] {
    let end = Math.min(AT_ONCE, this.#waiting.length);
    while (this.#waiting[end]?.stream === this.#waiting[end - 1]!.stream) end++;
    return this.#waiting.splice(0, end);
  }

  async #sweep() {
    if (!this.#lease.held) return;
    try {
      await this.#look(); // each time: it may have been deleted, and those who follow the room may not make it
      while (!this.#closed) {
        const commits = await this.#outbox.unpublished(Date.now() - GRACE, PAGE);
        if (commits.length === 0) break;
        await this.#publish(commits);
        this.#logger.info({ event: "outbox.swept", room: this.#room, commits: commits.length });
      }
      this.#tell(false);
    } catch (error) {
      this.#tell(true, error);
    }
  }

  /** Marks those whose streams are through; of a stream that failed none, for commits of one document share its mark. */
  async #publish(commits: readonly Logged[]) {
    const js = await this.#host.js();
    const failed = new Map<string, unknown>();
    if (!this.#stream) await this.#look();
    const numbers = await Promise.all(
      commits.map((commit) => this.#send(js, commit).catch((error) => void failed.set(commit.stream, error))),
    );
    await this.#follow(numbers.filter((number) => number !== undefined));
    const through = commits.filter(({ stream }) => !failed.has(stream));
    if (through.length > 0) await this.#outbox.published(through);
    if (failed.size === 0) return;
    this.#stream = undefined; // it may be gone
    throw failed.values().next().value;
  }

  /** The stream is there: made where it was not. */
  async #look() {
    const { epoch } = await this.#host.stream(this.#room);
    if (this.#stream?.epoch !== epoch) this.#stream = { epoch, end: 0 };
  }

  /** Its number in the stream; none where the stream has had it before. */
  async #send(js: JetStreamClient, commit: Logged): Promise<number | undefined> {
    const { seq, duplicate } = await js.publish(subjectOf(this.#room, commit.stream), encode(commit), { msgID: commit.id });
    return duplicate ? undefined : seq;
  }

  /**
   * A stream that gives a number which it has given before has lost its end: NATS syncs every two minutes, and a host went down. What stood there
   * is marked, and nobody would send it again; but whoever finds another stream goes through the record.
   */
  async #follow(numbers: readonly number[]) {
    if (numbers.length === 0 || !this.#stream) return;
    const { epoch, end } = this.#stream;
    this.#stream.end = Math.max(end, ...numbers);
    if (Math.min(...numbers) > end) return;
    this.#stream = undefined;
    this.#logger.warn(
      { event: "bus.lost_its_end", room: this.#room, stream: epoch, at: end },
      "it is made anew: followers go through the record",
    );
    await this.#host.forget(this.#room, epoch);
  }

  /** Once when it begins to fail, and once when it works again. */
  #tell(failing: boolean, error?: unknown) {
    if (failing === (this.#failingSince !== undefined)) return;
    this.#failingSince = failing ? Date.now() : undefined;
    if (failing)
      this.#logger.warn({ event: "outbox.waits", room: this.#room, error: String(error) }, "what is committed waits for the bus");
    else this.#logger.info({ event: "outbox.goes_on", room: this.#room });
  }
}
