import { Refused } from "../runtime/refused.ts";
import type { FilePortableRecord, PortableManifest } from "./file.portable-record.ts";
import { FilePortableWriter } from "./file.portable-writer.ts";
import { MongoPortableRecord } from "./mongo.portable-record.ts";
import { copyRecord, type Told } from "./portable.copy.ts";
import { Moment } from "./portable.moment.ts";
import { differences, inventoryOf } from "./portable.tally.ts";
import type { PortableTarget } from "./portable-record.ts";

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
