import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "../runtime/refused.ts";
import { MANIFEST } from "./backup.ts";
import { FilePortableRecord, isPortable } from "./file.portable-record.ts";

const USAGE = `npm run backup -- FOLDER            copies all rooms' data into FOLDER while the system runs
npm run restore -- FOLDER [--force]  puts it back into DATA_DIR while nothing runs; --force moves data that is there aside

With MONGO_URL: the cluster's record, of NAMESPACE; it is restored into a NAMESPACE that has nothing yet.`;

const show = (file: string, done: number, total: number) => {
  const percent = Math.floor((100 * done) / (total || 1));
  if (process.stderr.isTTY) process.stderr.write(`\r${file.padEnd(24)} ${String(percent).padStart(3)} %${done === total ? "\n" : ""}`);
};

const size = (files: { bytes: number }[]) =>
  `${files.length} files, ${(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(1)} MB`;

/** A cluster's, or one of a cluster's backups for whatever setting. */
const portable = async (verb: string, folder: string, force?: boolean) => {
  const { config } = await import("../runtime/config.ts");
  const { backupCluster, restorePortable } = await import("./cluster.backup.ts");
  const told = (room: string, section: string, entries: number) => process.stderr.write(`${room} ${section}: ${entries}\n`);
  const { dataDir, mongoUrl, namespace } = config;
  if (verb === "backup") {
    const { at, files } = await backupCluster(folder, mongoUrl!, namespace, told);
    return console.log(`Backed up ${namespace} as of ${at} to ${folder}: ${size(files)}`);
  }
  if (force && mongoUrl) throw new Refused("Databases cannot be moved aside: restore into another NAMESPACE, or drop those that are there");
  if (mongoUrl && existsSync(join(folder, MANIFEST)) && !isPortable(folder))
    throw new Refused(`${folder} is of an embedded system: npm run migrate -- --from ${folder} --to ADDRESS takes it to a cluster`);
  const { MongoPortableTarget } = await import("./mongo.portable-target.ts");
  const { SqlitePortableTarget } = await import("./sqlite.portable-target.ts");
  const target = mongoUrl ? new MongoPortableTarget(mongoUrl, namespace) : new SqlitePortableTarget(dataDir);
  const { at, files } = await restorePortable(new FilePortableRecord(folder, show), target, told);
  console.log(`Restored ${target.name} as of ${at}: ${size(files)}`);
};

const run = async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { force: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  const [verb, folder, ...rest] = positionals;
  if (values.help) return console.log(USAGE);
  if (!folder || rest.length > 0) throw new Refused(USAGE);
  const { config } = await import("../runtime/config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  if (config.mongoUrl || (verb === "restore" && isPortable(folder))) return portable(verb!, folder, values.force);
  if (verb === "backup") {
    const { backup } = await import("./backup.ts");
    const { at, files } = await backup(folder, config.dataDir, show);
    console.log(`Backed up ${config.dataDir} as of ${at} to ${folder}: ${size(files)}`);
  } else {
    const { restore } = await import("./restore.ts");
    const { manifest, before } = await restore(folder, config.dataDir, values, show);
    console.log(
      `Restored ${config.dataDir} as of ${manifest.at}: ${size(manifest.files)}${before ? `. What was there is in ${before}` : ""}`,
    );
  }
};

/** A full disk, a folder that is not ours, a file that another process will not let go of: one line is enough for these. */
const told = (error: Error) =>
  isMisuse(error)
    ? new Refused(`${error.message}\n${USAGE}`)
    : "errno" in error || "errcode" in error || error.name.startsWith("Mongo")
      ? new Refused(error.message)
      : error;

await run().catch((error) => exitFor(told(error)));
