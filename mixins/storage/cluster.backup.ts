import { setTimeout as delay } from "node:timers/promises";
import { Refused } from "../runtime/refused.ts";
import type { Commit } from "./event-store.ts";
import type { FilePortableRecord, PortableManifest } from "./file.portable-record.ts";
import { FilePortableWriter } from "./file.portable-writer.ts";
import { MongoPortableRecord } from "./mongo.portable-record.ts";
import { copyRecord, type Told } from "./portable.copy.ts";
import { differences, inventoryOf } from "./portable.tally.ts";
import type { Entry, PortableKey, PortableReach, PortableTarget, Section } from "./portable-record.ts";

/** By how much the nodes' clocks may differ from this one's, in milliseconds. */
const SKEW = 1_000;

/**
 * Writes the record of a cluster into a folder while it runs. Many databases have no moment in common that they could be read as of, so
 * a time a second ahead is one: of each stream what was decided before it is taken, and nothing of what came then. It is
 * read once all clocks have passed it, so what was acknowledged before the backup began is there, and what is there has
 * its causes there too: they were decided earlier. How far followers are is read before, documents after; of these there is only
 * the latest state.
 */
export const backupCluster = async (folder: string, address: string, namespace: string, told?: Told): Promise<PortableManifest> => {
  const record = new MongoPortableRecord(address, namespace);
  const writer = new FilePortableWriter(folder);
  try {
    await record.openRunning();
    if ((await record.rooms()).length === 0) throw new Refused(`There is nothing to back up in ${record.name}`);
    const moment = new Moment();
    await copyRecord(record, writer, told, {
      before: async (section) => {
        if (section === "saga_commits") await moment.come();
      },
      keep: (room, section, entry) => moment.holds(room, section, entry),
    });
    return await writer.finish(moment.time, namespace);
  } finally {
    await writer.close();
    await record.close();
  }
};

/** Puts such a backup into a system that has nothing yet, and compares. It may be cut off and run again. */
export const restorePortable = async (record: FilePortableRecord, target: PortableTarget, told?: Told): Promise<PortableManifest> => {
  try {
    await record.open();
    await target.open();
    await target.begin(record.name);
    await copyRecord(record, target, told);
    const differing = differences(record.manifest.rooms, await inventoryOf(target));
    if (differing.length > 0) throw new Refused(`${target.name} is not what was backed up, and stays marked: ${differing.join("; ")}`);
    await target.finish();
    return record.manifest;
  } finally {
    await record.close();
    await target.close();
  }
};

/** The time that all of a backup is of, as far as there is one. */
class Moment {
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
