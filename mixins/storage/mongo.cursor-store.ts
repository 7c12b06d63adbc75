import type { Collection, Filter } from "mongodb";
import type { CursorStore, Parked, Step } from "./cursor-store.ts";
import { isDuplicate, MongoHost, type Row, rows } from "./mongo.host.ts";

interface CursorRow extends Row {
  follower: string;
  at: string;
}

interface ParkedRow extends Row, Parked {
  follower: string;
}

interface ReachedRow extends Row {
  follower: string;
  version: number;
}

const AT_ONCE = 1_000; // streams
const LOOK = 1_000; // milliseconds between two looks at what somebody may have set going in another process

/**
 * Cursors, parked streams and what each stream has reached, in the follower's own database. There is no transaction: what
 * follows from a step is written first, then how its streams stand, and the cursor last, so a step that is cut off is done
 * again, and what it had done already is recognised by its versions.
 */
export class MongoCursorStore implements CursorStore {
  readonly #host = MongoHost.open();
  readonly #cursors: Collection<CursorRow>;
  readonly #parked: Collection<ParkedRow>;
  readonly #reached: Collection<ReachedRow>;
  readonly #listeners = new Set<() => void>();
  #timer?: NodeJS.Timeout;

  constructor(room: string) {
    const db = this.#host.room(room);
    this.#cursors = rows<CursorRow>(db, "cursors");
    this.#parked = rows<ParkedRow>(db, "parked");
    this.#reached = rows<ReachedRow>(db, "reached");
  }

  async cursor(follower: string, source: string): Promise<string> {
    const row = await this.#host.ask(() => this.#cursors.findOne({ _id: key(follower, source) }));
    return row?.at ?? "";
  }

  async advance(
    follower: string,
    source: string,
    from: string,
    to: string,
    step: Step,
    write: () => void | Promise<void>,
  ): Promise<boolean> {
    if ((await this.cursor(follower, source)) !== from) return false;
    await write();
    await this.#host.ask(async () => {
      await this.#note(follower, source, step);
      if (step.park.length > 0) {
        await this.#parked.bulkWrite(
          step.park.map((parked) => {
            const _id = key(follower, source, parked.stream);
            return { replaceOne: { filter: { _id }, replacement: { follower, ...parked }, upsert: true } };
          }),
          { ordered: false },
        );
      }
      if (step.unpark.length > 0) {
        await this.#parked.bulkWrite(
          step.unpark.map(({ stream, version }) => ({ deleteOne: { filter: { _id: key(follower, source, stream), version } } })),
        );
      }
    });
    const moved = from === to || (await this.#move(follower, source, from, to));
    if (moved) this.#tell();
    return moved;
  }

  async reached(follower: string, source: string, streams: readonly string[]): Promise<Map<string, number>> {
    const ids = streams.map((stream) => key(follower, source, stream));
    const found = await this.#host.ask(() => this.#reached.find({ _id: { $in: ids } }).toArray());
    const start = key(follower, source, "").length;
    return new Map(found.map(({ _id, version }) => [_id.slice(start), version]));
  }

  async parked(follower: string, source?: string): Promise<Parked[]> {
    const filter = { follower, ...(source !== undefined && { source }) } as Filter<ParkedRow>;
    const found = await this.#host.ask(() => this.#parked.find(filter).toArray());
    return found.map(({ _id, follower: _, ...parked }) => parked as Parked);
  }

  async resume(follower: string, source: string, stream: string, version: number): Promise<boolean> {
    const change = { $set: { version, attempts: 0, nextAt: Date.now() } };
    const { matchedCount } = await this.#host.ask(() => this.#parked.updateOne({ _id: key(follower, source, stream) }, change));
    this.#tell();
    return matchedCount > 0;
  }

  /** The streams first: cut off in between, nothing is taken in again yet, and the whole can be asked for again. */
  async rewind(follower: string, source: string, _: number, versions: ReadonlyMap<string, number>): Promise<void> {
    for (const part of chunks([...versions], AT_ONCE)) {
      const lowered = part.map(([stream, version]) => ({
        updateOne: { filter: { _id: key(follower, source, stream) }, update: { $min: { version: version - 1 } } },
      }));
      const parked = part.map(([stream, version]) => ({
        updateOne: { filter: { _id: key(follower, source, stream) }, update: { $min: { version } } },
      }));
      await this.#host.ask(async () => {
        await this.#reached.bulkWrite(lowered, { ordered: false });
        await this.#parked.bulkWrite(parked, { ordered: false });
      });
    }
    await this.#host.ask(() => this.#cursors.updateOne({ _id: key(follower, source) }, { $set: { at: "" } }));
    this.#tell();
  }

  async drop(follower: string): Promise<void> {
    await this.#host.ask(() =>
      Promise.all([
        this.#cursors.deleteMany({ follower }),
        this.#parked.deleteMany({ follower } as Filter<ParkedRow>),
        this.#reached.deleteMany({ follower }),
      ]),
    );
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#tell(), LOOK).unref();
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#host.close();
  }

  async #note(follower: string, source: string, { reached }: Step) {
    if (!reached || reached.size === 0) return;
    const updates = [...reached].map(([stream, version]) => ({
      updateOne: { filter: { _id: key(follower, source, stream) }, update: { $set: { follower }, $max: { version } }, upsert: true },
    }));
    await this.#reached.bulkWrite(updates, { ordered: false });
  }

  async #move(follower: string, source: string, from: string, to: string): Promise<boolean> {
    const _id = key(follower, source);
    try {
      const filter = (from === "" ? { _id, at: { $in: ["", null] } } : { _id, at: from }) as Filter<CursorRow>;
      const { matchedCount, upsertedCount } = await this.#host.ask(() =>
        this.#cursors.updateOne(filter, { $set: { follower, at: to } }, { upsert: from === "" }),
      );
      return matchedCount + upsertedCount > 0;
    } catch (error) {
      if (isDuplicate(error)) return false; // somebody took the first step
      throw error;
    }
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

const chunks = <T>(list: T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));

/** Names of rooms and followers have no bar in them. */
const key = (...parts: string[]) => parts.join("|");
