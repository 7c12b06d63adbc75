import type { KeyObject } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { exitFor, Refused } from "../../mixins/runtime/refused.ts";
import type { AuditRow } from "../../mixins/storage/audit-store.ts";
import { auditKeyOf, kidOf, publicKeyOf, publicText } from "../../mixins/trust/audit-key.ts";
import { type Finding, Verifier } from "./audit.verify.ts";

const USAGE = `npm run audit:verify -- [--from DAY] [--to DAY] [--key KEY]… [--roots FILE] [--file FILE] [--each]
npm run --silent audit:export -- [--from DAY] [--to DAY] > FILE

Verifies the audit trail, or writes it down: a line of JSON an entry. Reads the store itself (DATA_DIR, or MONGO_URL and NAMESPACE), whether the system runs or not.
  --from, --to  days (2026-01-31), both counted; all where they are left out
  --key         the public key that it is to be signed with, as v1.audit.roots tells it, or a file that holds it; those of earlier master keys as
                well. Without one it follows from the master key, where that can be read
  --roots       an answer of v1.audit.roots that was kept elsewhere: the trail must still come to what it says
  --file        an export instead of the store
  --each        checks every signature, not only as many as are needed to vouch for every entry
Ends with 1 where something is wrong, with 2 where it cannot be told.`;

const DAY = /^\d{4}-\d\d-\d\d$/;
const BATCH = 2_000;
const MOST_SHOWN = 10_000;
const STEP = 100_000;

const typed = () => {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = {
    from: text,
    to: text,
    key: { ...text, multiple: true },
    roots: text,
    file: text,
    each: flag,
    help: { ...flag, short: "h" },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [verb] = positionals;
  if (values.help || (verb !== "verify" && verb !== "export")) {
    console.log(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  for (const name of ["from", "to"] as const)
    if (values[name] !== undefined && !DAY.test(values[name]))
      throw new Refused(`--${name} must be a day like 2026-01-31, not "${values[name]}"`);
  return { verb, ...values };
};

const keysOf = async (given: readonly string[]): Promise<Map<string, KeyObject>> => {
  const texts = given.map((text) => (existsSync(text) ? readFileSync(text, "utf8") : text).trim());
  if (texts.length === 0) texts.push(await ownKey());
  return new Map(
    texts.map((text) => {
      const key = publicKeyOf(text);
      if (!key) throw new Refused(`--key must be 32 bytes in base64url, as v1.audit.roots tells it, not "${text.slice(0, 60)}"`);
      return [kidOf(text), key];
    }),
  );
};

/** Of the master key that the settings name; none is made for the purpose. */
const ownKey = async (): Promise<string> => {
  const { config } = await import("../../mixins/runtime/config.ts");
  const known = config.masterKey !== undefined || (!config.mongoUrl && existsSync(join(config.dataDir, "keys", "master.key")));
  if (!known) throw new Refused("The master key is not here to say which signature is right: name the public one by --key");
  const { masterKey } = await import("../../mixins/trust/master-key.ts");
  return publicText(auditKeyOf(masterKey()));
};

const anchorsOf = (file: string | undefined): Map<string, string> => {
  if (!file) return new Map();
  try {
    const { roots } = JSON.parse(readFileSync(file, "utf8")) as { roots: { day: string; n: number; chain: string }[] };
    return new Map(roots.map(({ day, n, chain }) => [`${day}/${n}`, chain]));
  } catch (error) {
    throw new Refused(`--roots: ${file} is no answer of v1.audit.roots (${(error as Error).message})`);
  }
};

interface Source {
  /** What stands before the first day that is asked for. */
  readonly before?: AuditRow;
  readonly rows: AsyncIterable<AuditRow>;
  close(): Promise<void>;
}

const openFile = (file: string, { from = "", to = "9" }: { from?: string; to?: string }): Source => {
  if (!existsSync(file)) throw new Refused(`--file: there is no ${file}`);
  async function* read() {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const row = JSON.parse(line) as AuditRow;
      if (row.day >= from && row.day <= to) yield row;
    }
  }
  return { rows: read(), close: async () => {} };
};

/** `known`: there was a trail, so that there is none any more is a finding. */
const openStore = async ({ from, to = "9" }: { from?: string; to?: string }, known: boolean): Promise<Source> => {
  const { config } = await import("../../mixins/runtime/config.ts");
  const none = config.mongoUrl
    ? `NAMESPACE: there is no audit trail in ${config.namespace}`
    : `DATA_DIR: there is no audit trail in ${resolve(config.dataDir)}`;
  if (!config.mongoUrl && !existsSync(join(config.dataDir, "audit.db"))) throw new Refused(none);
  const { openAuditStore } = await import("../../mixins/storage/open.ts");
  const store = openAuditStore("audit");
  if (!known && (await store.rows(undefined, 1)).length === 0) {
    await store.close();
    throw new Refused(none);
  }
  const before = from === undefined ? undefined : (await store.find({ before: { day: from, n: 0 } }, 1))[0];
  async function* read() {
    for (let after = before && { day: before.day, n: before.n }; ; ) {
      const rows = await store.rows(after, BATCH);
      for (const row of rows) {
        if (row.day > to) return;
        yield row;
      }
      const last = rows.at(-1);
      if (!last) return;
      after = { day: last.day, n: last.n };
    }
  }
  return { before, rows: read(), close: () => store.close() };
};

const tell = ({ day, n, to, fault, says }: Finding) => console.log(`${day}/${n}${to > n ? ` to ${to}` : ""}: ${fault}: ${says}`);

const main = async () => {
  const { verb, from, to, key = [], roots, file, each } = typed();
  const keys = verb === "verify" ? await keysOf(key) : new Map<string, KeyObject>();
  const anchors = new Map([...anchorsOf(roots)].filter(([place]) => place >= (from ?? "") && place.slice(0, 10) <= (to ?? "9")));
  const source = file ? openFile(file, { from, to }) : await openStore({ from, to }, anchors.size > 0);
  try {
    if (verb === "export") {
      for await (const row of source.rows)
        if (!process.stdout.write(`${JSON.stringify(row)}\n`)) await new Promise((go) => process.stdout.once("drain", go));
      return;
    }
    let shown = 0;
    const found = (finding: Finding) => {
      if (++shown <= MOST_SHOWN) tell(finding);
    };
    const verifier = new Verifier({
      keys,
      before: source.before,
      partial: file !== undefined && from !== undefined,
      anchors,
      found,
      every: each ? 1 : undefined,
    });
    const began = performance.now();
    for await (const row of source.rows) {
      verifier.take(row);
      if (verifier.entries % STEP === 0) process.stderr.write(`${verifier.entries} entries, ${row.day}\n`);
    }
    verifier.finish();
    const { entries, signatures, findings, end } = verifier;
    const took = `${((performance.now() - began) / 1_000).toFixed(1)} s, ${Math.round(process.memoryUsage().rss / 1e6)} MB`;
    if (shown > MOST_SHOWN) console.log(`… and ${shown - MOST_SHOWN} more`);
    console.log(`${entries} entries, ${signatures} signatures checked, ${findings} findings (${took})`);
    if (end) console.log(`It comes to ${end.chain} at ${end.day}/${end.n}`);
    if (findings > 0) process.exitCode = 1;
  } finally {
    await source.close();
  }
};

await main().catch(exitFor);
