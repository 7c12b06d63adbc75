import { createReadStream, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { exitFor, isMisuse, Refused } from "../runtime/refused.ts";
import type { KeyRow, KeyStore } from "../storage/key-store.ts";

const USAGE = `npm run keys -- export FILE   writes the wrapped keys of sealed fields into FILE (mode 600)
npm run keys -- import FILE   adds those that are not there; what was destroyed here stays destroyed

The keys of DATA_DIR, or with MONGO_URL of NAMESPACE, also while the system runs. They open nothing without the master key that wraps them,
and no backup of the rooms opens without them. As long as such a file is kept, what was erased since can be opened by it: keep it shorter than backups.`;

const PAGE = 500;
const KINDS = new Set(["kek", "data", "index"]);

const rowOf = (line: string, number: number): KeyRow => {
  const refused = new Refused(`Line ${number} is no key: the file is not one that this command has written, or not all of it`);
  let row: KeyRow;
  try {
    row = JSON.parse(line);
  } catch {
    throw refused;
  }
  const texts = [row.id, row.room, row.by, row.wrapped];
  if (!KINDS.has(row.kind) || texts.some((text) => typeof text !== "string") || !Number.isFinite(row.at)) throw refused;
  return row;
};

/** Keys of two systems have the same names, and would be taken for each other. */
const requireSame = async (store: KeyStore, rows: readonly KeyRow[]) => {
  const { KEK_PURPOSE, unwrap } = await import("./master-key.ts");
  for (const kek of await store.ofKind("kek")) {
    const given = rows.find(({ id }) => id === kek.id);
    if (!given || given.wrapped === kek.wrapped) continue;
    const [here, there] = [kek.wrapped, given.wrapped].map((wrapped) => unwrap(KEK_PURPOSE, wrapped));
    if (here === undefined || there === undefined)
      throw new Refused(
        "These keys, or those that are there, are wrapped by another master key: set MASTER_KEY_FILE, and MASTER_KEY_PREVIOUS_FILE for the other",
      );
    if (here !== there) throw new Refused("These are another system's keys: import them before the system is started for the first time");
  }
};

const run = async () => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: "boolean", short: "h" } } });
  if (values.help) return console.log(USAGE);
  const [verb, file, ...rest] = positionals;
  if (!file || rest.length > 0 || (verb !== "export" && verb !== "import")) throw new Refused(USAGE);
  await import("../runtime/config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { openKeyStore } = await import("../storage/open.ts");
  const store = openKeyStore();
  try {
    const rows: KeyRow[] = [];
    if (verb === "export") {
      for (let page = await store.all("", PAGE); page.length > 0; page = await store.all(page.at(-1)!.id, PAGE)) rows.push(...page);
      writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { mode: 0o600, flag: "wx", flush: true });
      return console.log(`Exported ${rows.length} rows to ${file}`);
    }
    for await (const line of createInterface({ input: createReadStream(file) })) rows.push(rowOf(line, rows.length + 1));
    await requireSame(store, rows);
    for (let i = 0; i < rows.length; i += PAGE) await store.add(rows.slice(i, i + PAGE));
    console.log(`Imported ${rows.length} rows; those that were there stayed as they were`);
  } finally {
    await store.close();
  }
};

const told = (error: Error) => (isMisuse(error) || "errno" in error || "errcode" in error ? new Refused(`${error.message}`) : error);

await run().catch((error) => exitFor(told(error)));
