import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { type CsvRecord, csvLine } from "./imports.reader.ts";

const SHOWN = 5;

/** Where lines go that are left out: into a file that can be corrected and imported, or the first of them before the user's eyes. */
export class Rejects {
  readonly #path?: string;
  readonly #file?: number;
  #count = 0;

  /** Throws where the file cannot be written: better now than after an hour. */
  constructor(path?: string) {
    this.#path = path;
    this.#file = path === undefined ? undefined : openSync(`${path}.part`, "w");
  }

  readonly columns = (header: readonly string[]) => {
    if (this.#file !== undefined) writeSync(this.#file, csvLine(["line", "reason", ...header]));
  };

  readonly add = ({ line, fields }: CsvRecord, reason: string) => {
    this.#count++;
    if (this.#file !== undefined) writeSync(this.#file, csvLine([String(line), reason, ...fields]));
    else if (this.#count <= SHOWN) console.error(`line ${line}: ${reason}`);
    else if (this.#count === SHOWN + 1) console.error("more lines are left out; --rejects FILE takes them all");
  };

  /** In its place once it is whole; an import that did not come to its end leaves what was there. */
  close(whole: boolean) {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    if (whole) renameSync(`${this.#path}.part`, this.#path!);
    else rmSync(`${this.#path}.part`, { force: true });
  }
}
