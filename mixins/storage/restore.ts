import { constants, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeFolder, RESTORING } from "../runtime/data-dir.ts";
import { Refused } from "../runtime/refused.ts";
import { digest, FORMAT, MANIFEST, type Manifest, type Progress, roomFiles, sync } from "./backup.ts";

/** Where the data that was there before went, if there was any. */
export interface Restored {
  manifest: Manifest;
  before?: string;
}

const BUSY = 5;

/**
 * Puts a backup back in place. All of it is verified and on the disk before anything that is there is touched; what is
 * there is moved aside, and only with `force`. A mark stands in the folder while names change, and no node starts on a folder that
 * has it: an interrupted restore is run again.
 */
export const restore = async (
  folder: string,
  dataDir: string,
  { force = false } = {},
  progress: Progress = () => {},
): Promise<Restored> => {
  const [from, to] = [resolve(folder), resolve(dataDir)];
  const manifest = await verified(from, progress);
  makeFolder(to);
  const mark = join(to, RESTORING);
  const there = roomFiles(to);
  if (there.length > 0 && !force && !existsSync(mark)) {
    throw new Refused(`DATA_DIR: ${to} has data (${there.join(", ")}); with --force it is moved aside and the backup takes its place`);
  }
  for (const name of there) requireUnused(join(to, name));

  const fresh = join(to, `.restore-${process.pid}`);
  mkdirSync(fresh);
  for (const { name } of manifest.files) {
    copyFileSync(join(from, name), join(fresh, name), constants.COPYFILE_FICLONE);
    await sync(join(fresh, name));
  }
  await sync(fresh);

  writeFileSync(mark, `${from}\n`, { flush: true });
  await sync(to);
  const before = there.length > 0 ? join(to, `before-${new Date().toISOString().replaceAll(":", "-")}`) : undefined;
  if (before) mkdirSync(before);
  for (const name of there) {
    for (const end of ["", "-wal", "-shm"])
      if (existsSync(join(to, name + end))) renameSync(join(to, name + end), join(before!, name + end));
  }
  for (const { name } of manifest.files) renameSync(join(fresh, name), join(to, name));
  await sync(to);
  rmSync(mark);
  rmSync(fresh, { recursive: true });
  await sync(to);
  return { manifest, before };
};

/** A backup's manifest, once all of its files have been found to be as it says. */
export const verified = async <M extends Manifest = Manifest>(folder: string, progress: Progress, format = FORMAT): Promise<M> => {
  if (!existsSync(join(folder, MANIFEST))) throw new Refused(`${folder} is no whole backup: it has no ${MANIFEST}`);
  const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8")) as M;
  if (manifest.format !== format) throw new Refused(`${folder} is of format ${manifest.format}; format ${format} is what is read here`);
  for (const { name, bytes, sha256 } of manifest.files) {
    const path = join(folder, name);
    const same = name === basename(name) && existsSync(path) && statSync(path).size === bytes && (await digest(path)) === sha256;
    if (!same) throw new Refused(`${path} is not as it was backed up; use another backup`);
    progress(name, 1, 1);
  }
  return manifest;
};

/** SQLite leaves its WAL mode only for a connection that is alone, so asking it to tells whether somebody else has the file open. */
export const openUnused = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec("PRAGMA journal_mode = DELETE");
    return db;
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode === BUSY) throw new Refused(`${path} is in use; stop the system that runs on it first`);
    throw error;
  }
};

const requireUnused = (path: string) => {
  try {
    openUnused(path).close();
  } catch (error) {
    if (error instanceof Refused) throw error;
    // a file that is damaged is what a restore is for
  }
};
