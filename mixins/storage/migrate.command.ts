import { parseArgs } from "node:util";
import { withoutSecrets } from "../runtime/address.ts";
import { exitFor, isMisuse, Refused } from "../runtime/refused.ts";
import type { Moved } from "./migrate.ts";
import type { ReportLine } from "./portable.figures.ts";
import { PROVEN, SECTIONS } from "./portable-record.ts";

const USAGE = `npm run migrate -- --from data --to mongodb://…    takes all of an embedded system's record to a cluster
npm run migrate -- --from mongodb://… --to data    and back

cluster instead of mongodb://… is the one that MONGO_URL names: its password then shows in no list of processes
--namespace NAME   of the cluster's databases; NAMESPACE, or banyan, where it is left out
--help             shows this

Nothing may run on either side, and the target must be empty. It may be ended at any time, kill -9 too, and run again.
In the end both sides are read and compared: every commit, saga and document by digests, and the figures of the reports.`;

const NAMES: Record<(typeof SECTIONS)[number], string> = {
  reached: "places",
  parked: "parked",
  audit: "bundles of audit entries",
  saga_commits: "saga commits",
  commits: "commits",
  documents: "documents",
  keys: "keys",
};

const run = async () => {
  const { values } = parseArgs({
    options: {
      ...{ from: { type: "string" }, to: { type: "string" }, namespace: { type: "string" } },
      help: { type: "boolean", short: "h" },
    } as const,
  });
  if (values.help) return console.log(USAGE);
  if (!values.from || !values.to) throw new Refused(USAGE);
  const { config } = await import("../runtime/config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { allProjections } = await import("../runtime/declared.ts");
  const { migrate } = await import("./migrate.ts");
  const addressOf = (place: string) =>
    place === "cluster" ? (config.mongoUrl ?? fail("cluster is what MONGO_URL names, and it is not set")) : place;
  const [from, to] = [addressOf(values.from), addressOf(values.to)];
  secrets.push(from, to);
  const moved = await migrate(from, to, {
    namespace: values.namespace ?? config.namespace,
    reports: await allProjections(),
    told: telling(),
    proving: (name) => tell(`Reading ${name} for the proof`),
  });
  console.log(tableOf(moved));
};

const fail = (why: string): never => {
  throw new Refused(why);
};

/** Addresses with what they keep secret, which no error may tell. */
const secrets: string[] = [];

const tell = (line: string) => process.stderr.write(`${line}\n`);

/** A line for each section of each room, over and over on a terminal; elsewhere once a second at most. */
const telling = () => {
  let [last, at] = ["", 0];
  return (room: string, section: (typeof SECTIONS)[number], count: number) => {
    const name = `${room} ${NAMES[section]}`;
    if (!process.stderr.isTTY && name === last && performance.now() - at < 1_000) return;
    process.stderr.write(process.stderr.isTTY ? `${name === last ? "\r" : "\n"}${name.padEnd(28)}${count}` : `${name}: ${count}\n`);
    [last, at] = [name, performance.now()];
  };
};

const KEYS_STAY = "The keys of sealed fields (contacts, e-mail addresses, tax ids) stay where they are: npm run keys takes them along.";

const tableOf = ({ from, to, there, here, figures }: Moved): string => {
  const lines = Object.entries(there).flatMap(([room, sections]) =>
    SECTIONS.flatMap((section) => {
      const [before, after] = [sections[section], here[room]?.[section]];
      if (!before) return [];
      const same = PROVEN.includes(section) ? `the same ${before.digest.slice(0, 12)}` : `${after?.count ?? 0} there now`;
      return [`${room.padEnd(12)}${NAMES[section].padEnd(14)}${String(before.count).padStart(10)}  ${same}`];
    }),
  );
  return [`Moved from ${from} to ${to}, and compared:\n`, ...lines, "", ...shownFigures(figures), "", KEYS_STAY].join("\n");
};

/** The dimensions that have few lines, all others by their number. */
const shownFigures = (figures: readonly ReportLine[]): string[] => {
  const parts = [...Map.groupBy(figures, ({ report, dimension }) => `${report} by ${dimension === "all" ? "month" : dimension}`)];
  return parts.flatMap(([part, lines]) => {
    const head = `${part}: ${lines.length} lines, the same on both sides`;
    if (lines.length > 40) return [head];
    const rows = lines.map(
      ({ key, currency, measures }) =>
        `  ${key.padEnd(24)}${currency}  ${Object.entries(measures)
          .map(([name, value]) => `${name} ${value}`)
          .join(", ")}`,
    );
    return [head, ...rows];
  });
};

/** A full disk, a server that went away: one line is enough, and it is run again. */
const told = (error: Error) =>
  isMisuse(error)
    ? new Refused(`${error.message}\n${USAGE}`)
    : "errno" in error || error.name.startsWith("Mongo")
      ? new Refused(`${withoutSecrets(error.message, secrets)}; run it again, and it goes on`)
      : error;

await run().catch((error) => exitFor(told(error)));
