import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Load } from "./load/load.ts";
import { REMOTE_SYSTEMS, type RemoteName } from "./remote/systems.ts";
import { compared, type Measured, tableOf } from "./report.ts";
import { auditVerify } from "./rows/audit.ts";
import type { Bench, Row } from "./rows/bench.ts";
import { httpRows } from "./rows/http.ts";
import { importBooks } from "./rows/import.ts";
import { insideRows } from "./rows/inside.ts";
import { known } from "./rows/known.ts";
import { remoteRows } from "./rows/remote.ts";
import { startRows } from "./rows/start.ts";
import { users } from "./rows/users.ts";
import { Server } from "./server.ts";
import { SYSTEMS, type SystemName, Systems } from "./systems.ts";

const ROWS: Record<string, Row> = {
  ...httpRows,
  "get-known": known,
  ...insideRows,
  import: importBooks,
  users,
  "audit-verify": auditVerify,
  ...startRows,
  ...remoteRows,
};

const ALL = [...new Set<SystemName | RemoteName>([...SYSTEMS, ...REMOTE_SYSTEMS])];

const USAGE = `npm run bench -- [--only row,row] [--systems system,system] [--json FILE]

Measures this system beside what its users have today, on this machine, in at most 10 minutes; bench/README.md says how.

--only row,row           of ${Object.keys(ROWS).join(", ")}
--systems system,system  of ${ALL.join(", ")}
--json FILE              writes [{ row, system, median, p99, unit, ratio }] as well
--profile FOLDER         Banyan leaves a CPU profile there for each server that it was; costs some percent
--help                   shows this`;

const complain = (text: string): never => {
  console.error(text);
  process.exit(2);
};

const chosen = <T extends string>(text: string | undefined, all: readonly T[], what: string): T[] => {
  const names = text === undefined ? [...all] : (text.split(",") as T[]);
  for (const name of names) if (!all.includes(name)) complain(`There is no ${what} "${name}". There are: ${all.join(", ")}`);
  return names;
};

const options = () => {
  const string = { type: "string" } as const;
  try {
    return parseArgs({ options: { only: string, systems: string, json: string, profile: string, help: { type: "boolean", short: "h" } } })
      .values;
  } catch (error) {
    return complain(`${(error as Error).message}\n\n${USAGE}`);
  }
};

const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else console.error(text);
};

const values = options();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const rows = chosen(values.only, Object.keys(ROWS), "row");
const taking = chosen<SystemName | RemoteName>(values.systems, ALL, "system");
const names = SYSTEMS.filter((name) => taking.includes(name));
const remotes = REMOTE_SYSTEMS.filter((name) => taking.includes(name));

const started = performance.now();
const dir = mkdtempSync(join(tmpdir(), "banyan-bench-"));
const load = new Load();
const clean = async () => {
  await Server.stopAll();
  load.stop();
  rmSync(dir, { recursive: true, force: true });
};
process.on("SIGINT", () => clean().then(() => process.exit(130)));

const systems = new Systems(dir, load, progress, values.profile && resolve(values.profile));
const bench: Bench = { names, remotes, load, progress, systems };
const measured: Measured[] = [];
try {
  for (const row of rows) {
    try {
      measured.push(...(await ROWS[row]!(bench)));
    } catch (error) {
      throw new Error(`The bench failed at ${row}: ${(error as Error).message}`, { cause: error });
    }
  }
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await clean();
}

const results = compared(measured);
progress("");
if (results.length > 0) console.log(tableOf(results));
console.error(`\n${Math.round((performance.now() - started) / 1_000)} s, Node ${process.version}`);
if (values.json && process.exitCode === undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
