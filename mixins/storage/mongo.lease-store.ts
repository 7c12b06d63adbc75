import type { Collection } from "mongodb";
import type { LeaseStore } from "./lease-store.ts";
import { isDuplicate, MongoHost, type Row, rows } from "./mongo.host.ts";

interface LeaseRow extends Row {
  owner: string;
  /** Grows whenever its owner renews it. */
  beat: number;
  ttl: number;
  /** When, by its owner's clock: only for putting away what nobody asks for any more. */
  at: Date;
}

/** What this process has seen of somebody's lease, and since when, by its own clock, it has not changed. */
interface Watched {
  owner: string;
  beat: number;
  since: number;
}

const FORGET = 86_400; // seconds without a beat, after which nobody asks who held a name

/**
 * Leases in the room's database, without any host's clock: an owner renews by a beat, and a lease is over for whoever has
 * watched it for its whole time without seeing one. So it takes one term to take over what a dead owner left.
 */
export class MongoLeaseStore implements LeaseStore {
  readonly #host = MongoHost.open();
  readonly #leases: Collection<LeaseRow>;
  readonly #watched = new Map<string, Watched>();

  constructor(room: string) {
    this.#leases = rows<LeaseRow>(this.#host.room(room), "leases");
    void this.#leases.createIndex({ at: 1 }, { expireAfterSeconds: FORGET }).catch(() => {});
  }

  async take(name: string, owner: string, ttl: number): Promise<boolean> {
    return this.#host.ask(async () => {
      const row = await this.#leases.findOne({ _id: name });
      if (!row) return this.#found(name, owner, ttl);
      if (row.owner !== owner && !this.#over(row)) return false;
      this.#watched.delete(name);
      const filter = { _id: name, owner: row.owner, beat: row.beat };
      const { matchedCount } = await this.#leases.updateOne(filter, { $set: { owner, beat: row.beat + 1, ttl, at: new Date() } });
      return matchedCount > 0;
    });
  }

  async leave(name: string, owner: string): Promise<void> {
    await this.#host.ask(() => this.#leases.deleteOne({ _id: name, owner }));
  }

  /** An owner whom this process has not watched for a term yet counts as alive. */
  async alive(owners: string[]): Promise<Set<string>> {
    const held = await this.#host.ask(() => this.#leases.find({ owner: { $in: owners } }).toArray());
    return new Set(held.filter((row) => !this.#over(row)).map(({ owner }) => owner));
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  async #found(name: string, owner: string, ttl: number): Promise<boolean> {
    try {
      await this.#leases.insertOne({ _id: name, owner, beat: 1, ttl, at: new Date() });
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }

  #over({ _id, owner, beat, ttl }: LeaseRow): boolean {
    const now = performance.now();
    const seen = this.#watched.get(_id);
    if (seen?.owner !== owner || seen.beat !== beat) {
      this.#watched.set(_id, { owner, beat, since: now });
      return false;
    }
    return now - seen.since > ttl;
  }
}
