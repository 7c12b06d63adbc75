import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createZstdDecompress } from "node:zlib";
import { MANIFEST, type Manifest, type Progress } from "./backup.ts";
import type { Inventory } from "./portable.tally.ts";
import type { Entries, PortableRecord, Section, Slice } from "./portable-record.ts";
import { verified } from "./restore.ts";

/** Of a backup in files that any setting can take: JSON, a line an entry, packed with zstd. */
export const PORTABLE = 2;

export interface PortableManifest extends Manifest {
  /** Of the system that it was made of. */
  readonly namespace: string;
  readonly rooms: Inventory;
}

/** The file of a section. */
export const fileOf = (room: string, section: Section): string => `${room}.${section}.ndjson.zst`;

/** Whether the folder is such a backup. */
export const isPortable = (folder: string): boolean => {
  const path = join(resolve(folder), MANIFEST);
  return existsSync(path) && (JSON.parse(readFileSync(path, "utf8")) as Manifest).format === PORTABLE;
};

/** The lines of a packed file. Only a line feed ends one: readline takes U+2028 for an end as well, and JSON leaves that as it is. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of createReadStream(path).pipe(createZstdDecompress()).setEncoding("utf8")) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** A backup of a cluster. */
export class FilePortableRecord implements PortableRecord {
  readonly name: string;
  readonly #folder: string;
  readonly #progress: Progress;
  #manifest?: PortableManifest;
  #reading?: { file: string; at: number; lines: AsyncIterator<string> };

  constructor(folder: string, progress: Progress = () => {}) {
    this.#folder = resolve(folder);
    this.name = this.#folder;
    this.#progress = progress;
  }

  get manifest(): PortableManifest {
    return this.#manifest!;
  }

  /** Verifies all of it. */
  async open(): Promise<void> {
    this.#manifest = await verified<PortableManifest>(this.#folder, this.#progress, PORTABLE);
  }

  async rooms(): Promise<string[]> {
    return Object.keys(this.manifest.rooms).sort();
  }

  /** A place is a number of lines; they are read one after another. */
  async read<S extends Section>(room: string, section: S, after: string, limit: number): Promise<Slice<S>> {
    if (!this.manifest.rooms[room]?.[section]) return { entries: [], next: after };
    const lines = await this.#linesFrom(fileOf(room, section), Number(after));
    const entries: Entries[S][] = [];
    while (entries.length < limit) {
      const { done, value } = await lines.next();
      if (done) break;
      entries.push(JSON.parse(value));
    }
    const at = Number(after) + entries.length;
    if (this.#reading) this.#reading.at = at;
    return { entries, next: entries.length > 0 ? String(at) : after };
  }

  async close(): Promise<void> {
    await this.#reading?.lines.return?.();
    this.#reading = undefined;
  }

  async #linesFrom(file: string, at: number): Promise<AsyncIterator<string>> {
    if (this.#reading?.file === file && this.#reading.at === at) return this.#reading.lines;
    await this.close();
    const lines = linesOf(join(this.#folder, file));
    for (let n = 0; n < at; n++) await lines.next();
    this.#reading = { file, at, lines };
    return lines;
  }
}
