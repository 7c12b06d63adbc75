import type { Page, Part } from "../storage/event-store.ts";
import { MongoRoomRecord } from "../storage/mongo.room-record.ts";
import { BusReader } from "./bus.reader.ts";
import { JetStreamHost, NONE } from "./jetstream.host.ts";
import type { Log } from "./log.ts";

/** Where a follower stands: on its way through the record, or behind a message of the stream. */
type Place =
  | { readonly kind: "record"; readonly after: string; readonly epoch: string; readonly seq: number }
  | { readonly kind: "stream"; readonly epoch: string; readonly seq: number; readonly id: string };

const LOOK = 2_000; // milliseconds between two looks for whether the stream has been made anew
const SOON = 250; // and for whether it is there at all

/**
 * A room's events as JetStream carries them: at least once, in no promised order. Who begins, or has been away for longer than
 * the stream keeps, or finds that it is not the stream that he knew, goes through the whole record first, and then on from
 * where the stream ended when he began with that: what is committed meanwhile is on the bus behind it. Where the room has no stream he
 * waits for it behind the record, and goes through that again once it is there: only the room itself makes it.
 */
export class JetStreamLog implements Log {
  readonly #room: string;
  readonly #host = JetStreamHost.open();
  readonly #record: MongoRoomRecord;
  readonly #listeners = new Set<() => void>();
  readonly #silence: () => void;
  readonly #timer: NodeJS.Timeout;
  #reader?: BusReader;
  /** The place that the reader goes on from. */
  #at = "";
  #soon?: NodeJS.Timeout;
  #closed = false;

  constructor(room: string) {
    this.#room = room;
    this.#record = new MongoRoomRecord(room);
    this.#silence = this.#host.listen(() => this.#tell());
    this.#timer = setInterval(() => this.#tell(), LOOK).unref();
  }

  async log(after: string, limit: number): Promise<Part> {
    const place = parse(after);
    if (!place) return this.#begin(limit);
    if (place.epoch === NONE.epoch) {
      if ((await this.#host.state(this.#room)) !== NONE) return this.#begin(limit);
      if (place.kind === "stream") return this.#nothing(after);
    }
    if (place.kind === "record") return this.#fromRecord(place, limit);
    if (!this.#reader || this.#at !== after || this.#reader.failed) {
      const { epoch, first, last } = await this.#host.state(this.#room);
      if (epoch !== place.epoch || first > place.seq + 1 || last < place.seq) return this.#begin(limit);
      this.#reader?.close();
      this.#reader = await BusReader.open(this.#host, this.#room, place.seq, place.id, () => this.#tell());
      this.#at = after;
      if (this.#closed) this.#reader.close();
    }
    if (this.#reader.strange) return this.#begin(limit);
    const commits = this.#reader.take(limit);
    const last = commits.at(-1);
    if (last) this.#at = format({ kind: "stream", epoch: place.epoch, seq: last.position, id: last.id });
    return { commits, next: this.#at };
  }

  record(after: string, limit: number): Promise<Part> {
    return this.#record.record(after, limit);
  }

  read(stream: string, version: number, limit: number): Promise<Page> {
    return this.#record.read(stream, version, limit);
  }

  async progress(at: string): Promise<{ position: number; end: number }> {
    const { epoch, last } = await this.#host.state(this.#room);
    const place = parse(at);
    const position = place?.kind === "stream" && place.epoch === epoch ? Math.min(place.seq, last) : -1;
    return { position, end: last };
  }

  /** What comes of it later is known by its version. */
  passed(): boolean {
    return true;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#silence();
    this.#reader?.close();
    await this.#record.close();
    await this.#host.close();
  }

  async #begin(limit: number): Promise<Part> {
    const { epoch, last } = await this.#host.state(this.#room);
    return this.#fromRecord({ kind: "record", after: "", epoch, seq: last }, limit);
  }

  async #fromRecord({ after, epoch, seq }: Place & { kind: "record" }, limit: number): Promise<Part> {
    const { commits, next } = await this.#record.record(after, limit);
    const place: Place = next === after ? { kind: "stream", epoch, seq, id: "" } : { kind: "record", after: next, epoch, seq };
    return { commits, next: format(place) };
  }

  #nothing(at: string): Part {
    clearTimeout(this.#soon);
    if (!this.#closed) this.#soon = setTimeout(() => this.#tell(), SOON).unref();
    return { commits: [], next: at };
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

const format = (place: Place): string =>
  place.kind === "record" ? `record ${place.epoch} ${place.seq} ${place.after}` : `stream ${place.epoch} ${place.seq} ${place.id}`;

const parse = (at: string): Place | undefined => {
  const [kind, epoch, seq, rest = ""] = at.split(" ");
  if (kind === "record") return { kind, epoch: epoch!, seq: Number(seq), after: rest };
  if (kind === "stream") return { kind, epoch: epoch!, seq: Number(seq), id: rest };
  return undefined;
};
