import { Refused } from "../runtime/refused.ts";
import { MongoPortableRecord } from "./mongo.portable-record.ts";
import { MongoPortableTarget } from "./mongo.portable-target.ts";
import { copyRecord, type Told } from "./portable.copy.ts";
import { Figures, type ReportLine } from "./portable.figures.ts";
import { differences, type Inventory, inventoryOf, type Watch } from "./portable.tally.ts";
import type { PortableRecord, PortableTarget } from "./portable-record.ts";
import { SqlitePortableRecord } from "./sqlite.portable-record.ts";
import { SqlitePortableTarget } from "./sqlite.portable-target.ts";

export interface Moved {
  readonly from: string;
  readonly to: string;
  readonly there: Inventory;
  readonly here: Inventory;
  readonly figures: readonly ReportLine[];
}

export interface MoveOptions {
  /** Of the cluster. */
  namespace: string;
  reports: ConstructorParameters<typeof Figures>[0];
  told?: Told;
  /** Told when reading for the proof begins. */
  proving?: (name: string) => void;
}

const isMongo = (address: string) => /^mongodb(\+srv)?:\/\//.test(address);

/**
 * Takes a whole system's record from a folder to a cluster's databases, or back. What it comes to is marked until it is
 * proven to be the same, and no node starts on it meanwhile; what was cut off goes on when it is run again.
 */
export const migrate = async (from: string, to: string, options: MoveOptions): Promise<Moved> => {
  const { namespace, reports, told, proving = () => {} } = options;
  const source: PortableRecord = isMongo(from) ? new MongoPortableRecord(from, namespace) : new SqlitePortableRecord(from);
  const target: PortableTarget = isMongo(to) ? new MongoPortableTarget(to, namespace) : new SqlitePortableTarget(to);
  if (isMongo(from) === isMongo(to)) throw new Refused("One of --from and --to is a folder, the other one a MongoDB (mongodb://…)");
  try {
    await source.open();
    await target.open();
    await target.begin(source.name);
    await copyRecord(source, target, told);
    const [there, here] = [await proofOf(source, reports, proving), await proofOf(target, reports, proving)];
    const differing = differences(there.inventory, here.inventory);
    if (differing.length === 0 && JSON.stringify(there.figures) !== JSON.stringify(here.figures)) differing.push("the reports' figures");
    if (differing.length > 0) {
      throw new Refused(
        `${target.name} is not the same as ${source.name}, and stays marked: ${differing.join("; ")}. Was there a node on one of them? Take what is in the target away and run it again`,
      );
    }
    await target.finish();
    return { from: source.name, to: target.name, there: there.inventory, here: here.inventory, figures: here.figures };
  } finally {
    await source.close();
    await target.close();
  }
};

const proofOf = async (record: PortableRecord, reports: MoveOptions["reports"], proving: (name: string) => void) => {
  proving(record.name);
  const figures = new Figures(reports);
  const watch: Watch = (room, section, entry) => figures.take(room, section, entry);
  return { inventory: await inventoryOf(record, watch), figures: figures.lines() };
};
