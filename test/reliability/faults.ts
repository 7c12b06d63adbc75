import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Random } from "./random.ts";

/** Where a transaction fails. After its commit the store has it, and could not say so. */
const PLACES = { begin: 1, insert: 2, before: 3, after: 4 } as const;

const ioError = () => Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode: 10, errstr: "disk I/O error" });

/**
 * Makes every store of this process fail at moments that follow from the seed: one transaction in `1 / rate`, before and
 * after it is on the disk. Nothing fails until the answered function is called, for a start may refuse a broken disk.
 */
export const injectFaults = (seed: number, rate: number): (() => void) => {
  const random = new Random(seed);
  let on = false;
  let place: keyof typeof PLACES | undefined;
  const fails = (here: keyof typeof PLACES) => {
    if (place !== here) return false;
    place = undefined;
    return true;
  };
  const around = (sql: string, run: () => unknown): unknown => {
    if (sql.startsWith("BEGIN")) {
      place = on && random.chance(rate) ? random.weighted(PLACES) : undefined;
      if (fails("begin")) throw ioError();
    }
    if (/^\s*INSERT/.test(sql) && fails("insert")) throw ioError();
    if (sql !== "COMMIT") return run();
    if (fails("before")) throw ioError();
    const done = run();
    if (fails("after")) throw ioError();
    return done;
  };
  const prepare = DatabaseSync.prototype.prepare;
  DatabaseSync.prototype.prepare = function (sql: string): StatementSync {
    const statement = prepare.call(this, sql);
    if (!/^(BEGIN|COMMIT|\s*INSERT)/.test(sql)) return statement;
    const run = statement.run.bind(statement) as (...values: never[]) => unknown;
    statement.run = ((...values: never[]) => around(sql, () => run(...values))) as typeof statement.run;
    return statement;
  };
  return () => {
    on = true;
  };
};
