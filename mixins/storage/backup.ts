import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { backup as copyPages, DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { makeFolder } from "../runtime/data-dir.ts";
import { Refused } from "../runtime/refused.ts";

export const MANIFEST = "manifest.json";
export const FORMAT = 1;

/** What a backup consists of: it is whole when every file has the size and digest that stand here. */
export interface Manifest {
  format: number;
  /** The moment that all files show. */
  at: string;
  banyan: string;
  node: string;
  sqlite?: string;
  files: { name: string; bytes: number; sha256: string }[];
}

export type Progress = (file: string, done: number, total: number) => void;

interface Source {
  name: string;
  writer: DatabaseSync;
  reader: DatabaseSync;
}

const PATIENCE = 5_000; // milliseconds that a room may take for the write it is in
const STEP = 2_000; // pages between two looks at progress

/**
 * Copies all rooms' files as they were at one moment, while the system goes on. A deal and the stock it reserved are in
 * different files, so the moment must be one for all: every file's write lock is taken, each gets a reader, and the
 * locks are let go of again; writers wait some milliseconds. The copy is made from the readers' view, however long it takes, in a
 * folder beside the target that gets its name when all of it is on the disk: what was interrupted never looks whole.
 */
export const backup = async (folder: string, dataDir: string, progress: Progress = () => {}): Promise<Manifest> => {
  const target = emptyFolder(folder);
  const sources = openAll(dataDir);
  const partial = `${target}.partial-${process.pid}`;
  try {
    const at = freezeMoment(sources, dataDir);
    makeFolder(partial);
    const files: Manifest["files"] = [];
    for (const { name, reader } of sources) {
      const path = join(partial, name);
      await copyPages(reader, path, {
        rate: STEP,
        progress: ({ totalPages, remainingPages }) => progress(name, totalPages - remainingPages, totalPages),
      });
      check(path);
      await sync(path);
      files.push(await describe(path));
      progress(name, 1, 1);
    }
    const manifest: Manifest = {
      format: FORMAT,
      at,
      banyan: versionOfBanyan(),
      node: process.version,
      sqlite: process.versions.sqlite!,
      files,
    };
    await putInPlace(partial, target, manifest);
    return manifest;
  } finally {
    for (const { reader, writer } of sources) {
      reader.close();
      writer.close();
    }
    rmSync(partial, { recursive: true, force: true });
  }
};

/** Where a backup is to be. Throws `Refused` where something is there. */
export const emptyFolder = (folder: string): string => {
  const target = resolve(folder);
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new Refused(`${target} is not empty; name a folder that does not exist yet`);
  return target;
};

/** A file as a manifest has it. */
export const describe = async (path: string) => ({ name: basename(path), bytes: statSync(path).size, sha256: await digest(path) });

/** Gives a folder whose files are on the disk its manifest and its name. */
export const putInPlace = async (partial: string, target: string, manifest: Manifest): Promise<void> => {
  writeFileSync(join(partial, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  await sync(partial);
  renameSync(partial, target);
  await sync(dirname(target));
};

/** The rooms' files in a folder, in the one order in which they are locked. */
export const roomFiles = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".db"))
        .map((entry) => entry.name)
        .sort()
    : [];

export const digest = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
};

/** Waits until a file, or the names in a folder, are on the disk. */
export const sync = async (path: string) => {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

const openAll = (dataDir: string): Source[] => {
  const names = roomFiles(dataDir);
  if (names.length === 0) throw new Refused(`DATA_DIR: there is nothing to back up in ${resolve(dataDir)}`);
  return names.map((name) => {
    const path = join(dataDir, name);
    const [writer, reader] = [new DatabaseSync(path, { timeout: PATIENCE }), new DatabaseSync(path, { timeout: PATIENCE })];
    return { name, writer, reader };
  });
};

/** Gives every reader the view of one moment, and answers which. Does not await: the locks must not outlive a tick. */
const freezeMoment = (sources: Source[], dataDir: string): string => {
  for (const { writer } of sources) writer.exec("BEGIN IMMEDIATE");
  if (roomFiles(dataDir).length > sources.length) throw new Refused("A room was started for the first time just now; run the backup again");
  for (const { reader } of sources) {
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM sqlite_schema").get(); // a view begins with the first read, not with BEGIN
  }
  const at = new Date().toISOString();
  for (const { writer } of sources) writer.exec("ROLLBACK");
  return at;
};

/** Reads the whole copy once: a damaged file is to be found while there are older backups. */
const check = (path: string) => {
  const copy = new DatabaseSync(`${pathToFileURL(path)}?immutable=1`, { readOnly: true });
  try {
    const { quick_check: found } = copy.prepare("PRAGMA quick_check(1)").get() as { quick_check: string };
    if (found !== "ok") throw new Refused(`${basename(path)} is damaged (${found}); keep the older backups`);
  } finally {
    copy.close();
  }
};

export const versionOfBanyan = (): string =>
  (JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as { version: string }).version;
