import { setTimeout as delay } from "node:timers/promises";
import { Refused } from "../runtime/refused.ts";
import type { Commit } from "./event-store.ts";
import type { Entry, PortableKey, PortableReach, Section } from "./portable-record.ts";

/** By how much the nodes' clocks may differ from this one's, in milliseconds. */
const SKEW = 1_000;

/** The time that all of a backup is of, as far as there is one. */
export class Moment {
  time = Number.POSITIVE_INFINITY;
  /** Streams that have gone on since. */
  readonly #later = new Map<string, Set<string>>();
  /** How far followers were in each stream before. */
  readonly #reached = new Map<string, number>();

  async come(): Promise<void> {
    this.time = Date.now() + SKEW;
    await delay(2 * SKEW);
  }

  /** Of a stream everything up to the first commit that is later, so that it has no gap, whatever its nodes' clocks said. */
  holds(room: string, section: Section, entry: Entry): boolean {
    if (section === "keys") return (entry as PortableKey).at < this.time; // a later one may speak of a write that was not read
    if (section === "reached") this.#note(entry as PortableReach);
    if (section !== "commits" && section !== "saga_commits") return true;
    const { stream, version, at } = entry as Commit;
    const key = `${room}/${section}`;
    const later = this.#later.get(key) ?? new Set();
    this.#later.set(key, later);
    if (later.has(stream)) return false;
    if (at < this.time) return true;
    const seen = section === "commits" && (this.#reached.get(`${room}/${stream}`) ?? 0) >= version;
    if (seen || at > Date.now() + SKEW) {
      throw new Refused("Clocks differ by more than a second, so nobody can say what was first; run NTP (chrony) on all hosts");
    }
    later.add(stream);
    return false;
  }

  #note({ source, stream, version }: PortableReach) {
    const key = `${source}/${stream}`;
    if ((this.#reached.get(key) ?? 0) < version) this.#reached.set(key, version);
  }
}
