import { ConsumerEvents, type ConsumerMessages, DeliverPolicy, type JsMsg } from "nats";
import type { Logged } from "../storage/event-store.ts";
import { type JetStreamHost, streamOf } from "./jetstream.host.ts";
import { decode } from "./message.ts";

const AHEAD = 1_000; // messages that are fetched before they are asked for
/** How often the server says that the consumer is there; twice without is taken for its end. */
const ALIVE = { idle_heartbeat: 1_000, expires: 5_000 } as const;
const FULL = 2_000; // messages in memory beyond which none are taken from the server

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
    const messages = await host.ask(() => consumer.consume({ max_messages: AHEAD, ...ALIVE }));
    return new BusReader(room, messages, check ? { seq, id } : undefined, told);
  }

  readonly #room: string;
  readonly #messages: ConsumerMessages;
  readonly #told: () => void;
  readonly #known?: { seq: number; id: string };
  #waiting: Logged[] = [];
  #drained = Promise.withResolvers<void>();
  /** Set where the messages have come to an end: they do where the one server that has the consumer is gone. */
  failed = false;
  /** Set where what stands in the known message's place is another: the stream has lost its end, and counts its numbers again. */
  strange = false;

  private constructor(room: string, messages: ConsumerMessages, known: { seq: number; id: string } | undefined, told: () => void) {
    this.#room = room;
    this.#messages = messages;
    this.#known = known;
    this.#told = told;
    for (const end of [this.#read(), this.#watch()]) void end.catch(() => {}).finally(() => this.#fail());
  }

  take(limit: number): Logged[] {
    const commits = this.#waiting.splice(0, limit);
    if (this.#waiting.length < FULL) {
      this.#drained.resolve();
      this.#drained = Promise.withResolvers();
    }
    return commits;
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

  /** Resolves when the consumer is silent. The client waits until its server is back; the stream has others. */
  async #watch() {
    for await (const { type } of await this.#messages.status()) if (type === ConsumerEvents.HeartbeatsMissed) return;
  }

  async #read() {
    for await (const message of this.#messages) {
      this.#add(message);
      if (this.#waiting.length >= FULL) await this.#drained.promise;
    }
  }

  #add(message: JsMsg) {
    const commit = decode(this.#room, message.data, message.seq);
    if (this.#known && message.seq === this.#known.seq) {
      this.strange ||= commit.id !== this.#known.id;
      return this.#told();
    }
    this.#waiting.push(commit);
    this.#told();
  }
}
