import { existsSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "../../mixins/runtime/refused.ts";
import { BadLine } from "./imports.mapping.ts";
import { importSource } from "./imports.session.ts";
import { fileSource, spooledSource } from "./imports.source.ts";

const USAGE = `npm run import -- FILE [--dry-run] [--rejects FILE]

Loads a year of a wholesaler's books, one line of an invoice each, into the system under DATA_DIR; docs/import.md
says what becomes of them. It may be ended at any time and run again: nothing is booked twice.

FILE            CSV, as it is or packed with gzip or zstd; - or nothing reads standard input
--dry-run       reads and checks everything and books nothing
--rejects FILE  takes the lines that are left out, as CSV with their line number and the reason
--help          shows this`;

const run = async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "dry-run": { type: "boolean" }, rejects: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) return console.log(USAGE);
  const [file = "-", ...rest] = positionals;
  if (rest.length > 0 || (file === "-" && process.stdin.isTTY)) throw new Refused(USAGE);
  if (file !== "-" && !existsSync(file)) throw new Refused(`There is no file ${file}`);
  if (values.rejects && sameFile(file, values.rejects))
    throw new Refused("--rejects names the file that is imported: give it another name");
  const source = file === "-" ? await spooledSource(process.stdin) : fileSource(file);
  try {
    await importSource(source, { dryRun: values["dry-run"], rejects: values.rejects });
  } finally {
    source.close();
  }
};

/** Also under another name, or through a link. */
const sameFile = (one: string, other: string): boolean => {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
};

/** What is wrong with the file or the command line is said in one line; anything else is our fault, and shown whole. */
const reasonOf = (error: Error & { code?: string; syscall?: string }): Error => {
  if (isMisuse(error)) return new Refused(`${error.message}\n\n${USAGE}`);
  if (error instanceof BadLine) return new Refused(`This cannot be imported: ${error.message}`);
  if (/^(Z|ZSTD)_/.test(error.code ?? "")) return new Refused(`The file cannot be unpacked: ${error.message}`);
  if (error.syscall) return new Refused(`A file cannot be read or written: ${error.message}`);
  return error;
};

await run().catch((error: Error) => exitFor(reasonOf(error)));
