import { closeSync, openSync, writeSync } from "node:fs";
import { type CsvRecord, csvLine } from "./imports.reader.ts";

const SHOWN = 5;

/** Where lines go that are left out: into a file that can be corrected and imported, or the first of them before the user's eyes. */
export class Rejects {
  readonly #file?: number;
  #count = 0;

  /** Throws where the file cannot be written: better now than after an hour. */
  constructor(path?: string) {
    this.#file = path === undefined ? undefined : openSync(path, "w");
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

  close() {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
