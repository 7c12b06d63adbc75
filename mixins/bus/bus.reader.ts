import { setTimeout as delay } from "node:timers/promises";
import { ConsumerEvents, type ConsumerMessages, DeliverPolicy, type JsMsg } from "nats";
import type { Logged } from "../storage/event-store.ts";
import { type JetStreamHost, streamOf } from "./jetstream.host.ts";
import { decode } from "./message.ts";

const AHEAD = 1_000; // messages that are fetched before they are asked for
/** How often the server says that the consumer is there; twice without is taken for its end. */
const ALIVE = { idle_heartbeat: 1_000, expires: 2_000 } as const; // where a consumer cannot be made, the client waits for about as long as one request lasts
const OPENS = 3_000; // milliseconds that a consumer may take to be made; the next attempt may find another server
const ENDS = new Set<string>([ConsumerEvents.HeartbeatsMissed, ConsumerEvents.OrderedConsumerRecreated]);
const FULL = 2_000; // messages in memory beyond which none are taken from the server,
const FULL_SIZE = 16_000_000; // or their bytes

/**
 * Reads a room's stream from behind a message on, by an ordered pull consumer: the client makes it anew by itself where
 * the connection was lost. Progress is kept by whoever reads, with what follows from it; the server keeps none.
 */
export class BusReader {
  /** Opens behind a message: `id` is that of the commit which it carried; empty where it is not known. */
  static async open(host: JetStreamHost, room: string, seq: number, id: string, told: () => void): Promise<BusReader> {
    const js = await host.js();
    const check = seq > 0 && id !== "";
    const consumer = await host.ask(() =>
      js.consumers.get(streamOf(room), { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: check ? seq : seq + 1 }),
    );
    const messages = await host.ask(() => inTime(consumer.consume({ max_messages: AHEAD, ...ALIVE })));
    return new BusReader(room, messages, check ? { seq, id } : undefined, seq + (check ? 0 : 1), told);
  }

  readonly #room: string;
  readonly #messages: ConsumerMessages;
  readonly #told: () => void;
  readonly #known?: { seq: number; id: string };
  /** The number of the next message: a stream that skips one has lost it. */
  #next: number;
  #waiting: Logged[] = [];
  /** The bytes of each of them, and of all. */
  #sizes: number[] = [];
  #size = 0;
  #drained = Promise.withResolvers<void>();
  /** Set where the messages have come to an end: they do where the one server that has the consumer is gone. */
  failed = false;
  /** Set where a message is missing, or what stands in the known one's place is another: the stream has lost some, and counts its numbers again. */
  strange = false;

  private constructor(
    room: string,
    messages: ConsumerMessages,
    known: { seq: number; id: string } | undefined,
    next: number,
    told: () => void,
  ) {
    this.#room = room;
    this.#messages = messages;
    this.#known = known;
    this.#next = next;
    this.#told = told;
    for (const end of [this.#read(), this.#watch()]) void end.catch(() => {}).finally(() => this.#fail());
  }

  take(limit: number): Logged[] {
    const commits = this.#waiting.splice(0, limit);
    for (const size of this.#sizes.splice(0, limit)) this.#size -= size;
    if (!this.#isFull()) {
      this.#drained.resolve();
      this.#drained = Promise.withResolvers();
    }
    return commits;
  }

  #isFull(): boolean {
    return this.#waiting.length >= FULL || this.#size >= FULL_SIZE;
  }

  close(): void {
    this.#drained.resolve();
    void this.#messages.close().catch(() => {});
  }

  #fail() {
    if (this.failed) return;
    this.failed = true;
    this.close();
    this.#told();
  }

  /**
   * Resolves when the consumer is silent (the client waits until its server is back; the stream has others), and when the client has
   * made another one: it does not look whether the stream is still the one that it was.
   */
  async #watch() {
    for await (const { type } of await this.#messages.status()) if (ENDS.has(type)) return;
  }

  async #read() {
    for await (const message of this.#messages) {
      this.#add(message);
      if (this.#isFull()) await this.#drained.promise;
    }
  }

  #add(message: JsMsg) {
    const commit = decode(this.#room, message.data, message.seq);
    this.strange ||= message.seq !== this.#next++;
    if (this.strange || !commit) return this.#told(); // what is no commit is passed over
    if (this.#known && message.seq === this.#known.seq) {
      this.strange ||= commit.id !== this.#known.id;
      return this.#told();
    }
    this.#waiting.push(commit);
    this.#size += message.data.length;
    this.#sizes.push(message.data.length);
    this.#told();
  }
}

/** Throws where it is not made in time; one that comes later is let go. */
const inTime = async (opening: Promise<ConsumerMessages>): Promise<ConsumerMessages> => {
  const late = delay(OPENS, undefined, { ref: false });
  const messages = await Promise.race([opening, late]);
  if (messages) return messages;
  opening.then(
    (messages) => messages.close(),
    () => {},
  );
  throw new Error(`no consumer within ${OPENS} ms`);
};
