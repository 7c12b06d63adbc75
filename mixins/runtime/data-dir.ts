import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Refused } from "./refused.ts";

/** A restore leaves this file in the folder while names change: what is there is of two moments until it is gone. */
export const RESTORING = ".restoring";
/** A move from elsewhere leaves this one until all of it is there and proven. */
export const MOVING = ".moving";

/** Makes a folder and those above it. Node's own `recursive` never comes back where none can be made, as in /proc. */
export const makeFolder = (path: string, mode = 0o777) => {
  if (existsSync(path)) return;
  makeFolder(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was first
  }
};

/** Makes the folder if need be, and throws `Refused` where rooms could not store in it. */
export const prepareDataDir = (dataDir: string) => {
  const dir = resolve(dataDir);
  if (existsSync(join(dir, RESTORING))) throw new Refused(`DATA_DIR: a restore into ${dir} was interrupted; run it again`);
  if (existsSync(join(dir, MOVING)))
    throw new Refused(`DATA_DIR: a move into ${dir} was interrupted; run npm run migrate (or restore) again`);
  const probe = join(dir, `.${process.pid}.probe`);
  try {
    makeFolder(dir);
    writeFileSync(probe, ""); // rights do not tell: root has them all, and a full or read-only disk shows none of it
    rmSync(probe);
  } catch (error) {
    throw new Refused(`DATA_DIR: cannot write to ${dir} (${(error as Error).message}); name a folder that can be written`);
  }
};
