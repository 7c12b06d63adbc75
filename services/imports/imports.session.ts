import { decimal } from "../../mixins/core/decimal.ts";
import { exitFor, Refused } from "../../mixins/runtime/refused.ts";
import { CURRENCY } from "./imports.mapping.ts";
import { progressOn } from "./imports.progress.ts";
import { Rejects } from "./imports.rejects.ts";
import { type Call, callThrough, NotYet, patiently } from "./imports.rooms.ts";
import { importBooks } from "./imports.run.ts";
import type { Source } from "./imports.source.ts";
import { revenueIn, tableOf } from "./imports.table.ts";

const ROOMS = ["customers", "products", "inventory", "deals", "analytics"];

export interface Session {
  dryRun?: boolean;
  /** The file that takes what is left out. */
  rejects?: string;
}

/**
 * Imports into the system under `DATA_DIR` with a node of its own, beside one that runs or without, and tells on the
 * terminal how it goes and what it did. Ctrl+C ends it once what has begun is done; a second one ends it at once.
 */
export const importSource = async (source: Source, { dryRun, rejects: path }: Session): Promise<void> => {
  const start = performance.now();
  const rejects = openRejects(path);
  const node = dryRun ? undefined : await startRooms();
  const call: Call = node ? callThrough(node.broker) : async () => undefined;
  const progress = progressOn(process.stderr);
  const ended = new AbortController();
  const end = (signal: NodeJS.Signals) => {
    if (ended.signal.aborted) process.exit(130);
    console.error(`\n${signal}: finishing what has begun. Run the same again to go on.`);
    ended.abort(new Refused("The import was ended before its end; the same command goes on from there."));
  };
  process.on("SIGINT", end).on("SIGTERM", end);
  let whole = false;
  try {
    const { add: reject, columns } = rejects;
    const outcome = await importBooks({ source, call, progress, now: Date.now(), reject, columns, signal: ended.signal });
    whole = true;
    const total = outcome.seen && (await reported(call, outcome.seen));
    console.log(tableOf(outcome, (performance.now() - start) / 1_000));
    if (dryRun) console.log("\nNothing was booked: this was a dry run.");
    if (total !== undefined) console.log(`\n${inTheBooks(total, decimal(revenueIn(outcome)))}`);
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    rejects.close(whole);
    await node?.stop();
  }
};

const openRejects = (path?: string) => {
  try {
    return new Rejects(path);
  } catch (error) {
    throw new Refused(`The rejects cannot be written: ${(error as Error).message}`);
  }
};

/** The settings are read as they are imported, hence late: a wrong one is a reason in one line, and a dry run needs none. */
const startRooms = async () => {
  const { startNode } = await import("../../mixins/runtime/node.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { requireOperator } = await import("../../mixins/trust/operator.ts");
  requireOperator();
  return startNode({ rooms: ROOMS, quiet: true });
};

/** The revenue of all that the system holds, once the reports have seen all that there is now. */
const reported = async (call: Call, { id, version }: { id: string; version: number }): Promise<string> => {
  const { end } = await progressOf(call);
  await patiently(async () => {
    if ((await progressOf(call)).position < end) throw new NotYet("The reports have not seen all that was booked");
  });
  const answer = await call("v1.analytics.revenue", { by: "month", currency: CURRENCY, seen: `${id}@${version}` });
  return (answer as { totals: { revenue: string }[] }).totals[0]?.revenue ?? "0";
};

const progressOf = async (call: Call) => (await call("v1.analytics.progress", {})) as { position: number; end: number };

const inTheBooks = (total: string, imported: string) =>
  total === imported
    ? `The reports have it all: ${CURRENCY} ${total}.`
    : `The reports have it all. With what else the system holds, its revenue is ${CURRENCY} ${total}.`;
