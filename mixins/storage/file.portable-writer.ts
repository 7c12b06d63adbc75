import { once } from "node:events";
import { createWriteStream, rmSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { createZstdCompress, type ZstdCompress } from "node:zlib";
import { makeFolder } from "../runtime/data-dir.ts";
import { describe, emptyFolder, putInPlace, sync, versionOfBanyan } from "./backup.ts";
import { fileOf, PORTABLE, type PortableManifest } from "./file.portable-record.ts";
import { type Inventory, Tally } from "./portable.tally.ts";
import type { Entries, Receiver, Section } from "./portable-record.ts";

interface Writing {
  readonly room: string;
  readonly section: Section;
  readonly tally: Tally;
  readonly packer: ZstdCompress;
  readonly written: Promise<void>;
}

/** A backup as it is made: in a folder beside the one that it is to be, which gets that name when all of it is on the disk. */
export class FilePortableWriter implements Receiver {
  readonly #target: string;
  readonly #partial: string;
  readonly #files: PortableManifest["files"] = [];
  #rooms: Inventory = {};
  #writing?: Writing;

  constructor(folder: string) {
    this.#target = emptyFolder(folder);
    this.#partial = `${this.#target}.partial-${process.pid}`;
    makeFolder(this.#partial);
  }

  /** It is written at one go. */
  async place(): Promise<string> {
    return "";
  }

  async write<S extends Section>(room: string, section: S, entries: readonly Entries[S][]): Promise<void> {
    if (entries.length === 0) return;
    if (this.#writing?.room !== room || this.#writing.section !== section) {
      await this.settle();
      this.#writing = this.#begin(room, section);
    }
    const { packer, tally } = this.#writing;
    for (const entry of entries) tally.add(entry);
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    if (!packer.write(text)) await once(packer, "drain");
  }

  /** Ends the file that is being written. */
  async settle(): Promise<void> {
    if (!this.#writing) return;
    const { room, section, tally, packer, written } = this.#writing;
    this.#writing = undefined;
    packer.end();
    await written;
    const path = join(this.#partial, fileOf(room, section));
    await sync(path);
    this.#files.push(await describe(path));
    this.#rooms = { ...this.#rooms, [room]: { ...this.#rooms[room], [section]: tally.sum } };
  }

  async finish(at: number, namespace: string): Promise<PortableManifest> {
    const manifest = {
      ...{ format: PORTABLE, at: new Date(at).toISOString(), namespace, banyan: versionOfBanyan(), node: process.version },
      ...{ files: this.#files, rooms: this.#rooms },
    };
    await putInPlace(this.#partial, this.#target, manifest);
    return manifest;
  }

  /** Leaves nothing of it that was not finished. */
  async close(): Promise<void> {
    this.#writing?.packer.destroy();
    await this.#writing?.written.catch(() => {});
    rmSync(this.#partial, { recursive: true, force: true });
  }

  #begin(room: string, section: Section): Writing {
    const packer = createZstdCompress();
    const file = packer.pipe(createWriteStream(join(this.#partial, fileOf(room, section))));
    packer.on("error", (error) => file.destroy(error));
    const written = finished(file);
    written.catch(() => {}); // whoever ends it sees it
    return { room, section, tally: new Tally(), packer, written };
  }
}
