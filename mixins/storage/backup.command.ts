import { parseArgs } from "node:util";
import { exitFor, Refused } from "../runtime/refused.ts";

const USAGE = `npm run backup -- FOLDER            copies all rooms' data, of one moment, into FOLDER while the system runs
npm run restore -- FOLDER [--force]  puts it back into DATA_DIR while nothing runs; --force moves data that is there aside`;

const show = (file: string, done: number, total: number) => {
  const percent = Math.floor((100 * done) / (total || 1));
  if (process.stderr.isTTY) process.stderr.write(`\r${file.padEnd(24)} ${String(percent).padStart(3)} %${done === total ? "\n" : ""}`);
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
  const size = (files: { bytes: number }[]) =>
    `${files.length} files, ${(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(1)} MB`;
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
const told = (error: Error & { code?: string }) =>
  error.code?.startsWith("ERR_PARSE_ARGS")
    ? new Refused(`${error.message}\n${USAGE}`)
    : "errno" in error || "errcode" in error
      ? new Refused(error.message)
      : error;

await run().catch((error) => exitFor(told(error)));
