import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeFolder } from "../runtime/data-dir.ts";
import { authority, type Holder, issue, newKey, readCertificate, SOON } from "./certificates.ts";

/** What a run has written, and what it has found. */
export interface Told {
  readonly made: string[];
  readonly kept: string[];
}

/** A folder of keys and certificates that nobody but its user may read. What is there stays: a key is never written twice, a certificate only when it is renewed. */
export class CertsFolder {
  readonly path: string;
  readonly told: Told = { made: [], kept: [] };
  readonly #renew: boolean;
  #ca?: { key: string; certificate: string };

  constructor(path: string, renew: boolean) {
    this.path = resolve(path);
    this.#renew = renew;
  }

  async open(): Promise<void> {
    for (const folder of ["", "nodes", "servers"]) makeFolder(join(this.path, folder), 0o700);
    const key = await this.keep("ca.key", newKey);
    this.#ca = { key, certificate: await this.#certificate("ca.crt", () => authority(key)) }; // renewed under the same key: what rests on it still counts
  }

  /**
   * Key and certificate, `<kind>/<name>.key` and `.crt`. The key stays when the certificate is renewed, so whoever reads both never has halves of two;
   * and so does what the old one was for.
   */
  async holder(kind: "nodes" | "servers", { name, hosts, rooms }: Holder): Promise<void> {
    const key = await this.keep(`${kind}/${name}.key`, newKey);
    const path = `${kind}/${name}.crt`;
    const known = existsSync(join(this.path, path)) ? readCertificate(this.read(path)) : undefined;
    const holder = { name, hosts: [...(known?.hosts ?? []), ...hosts], rooms: known?.rooms ?? rooms };
    await this.#certificate(path, () => issue(this.#ca!, key, holder));
  }

  /** The names of those who have a file of this kind. */
  names(kind: "nodes" | "servers", ending: string): string[] {
    return readdirSync(join(this.path, kind))
      .filter((file) => file.endsWith(ending))
      .map((file) => file.slice(0, -ending.length))
      .sort();
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), "utf8");
  }

  /** What the file holds; made where there is none. Of two who make it at once one has it, whole, and the other reads it. */
  async keep(path: string, make: () => string | Promise<string>): Promise<string> {
    const file = join(this.path, path);
    if (existsSync(file)) {
      this.told.kept.push(path);
      return this.read(path);
    }
    const draft = this.#draft(file, await make());
    try {
      linkSync(draft, file);
      this.told.made.push(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    return this.read(path);
  }

  /** Written over what is there, whole or not at all: for what follows from other files. */
  put(path: string, text: string): void {
    const file = join(this.path, path);
    if (existsSync(file) && this.read(path) === text) return void this.told.kept.push(path);
    renameSync(this.#draft(file, text), file);
    this.told.made.push(path);
  }

  async #certificate(path: string, make: () => Promise<string>): Promise<string> {
    const ends = this.#ends(path);
    if (this.#renew && ends !== undefined && ends < Date.now() + SOON) this.put(path, await make());
    else await this.keep(path, make);
    return this.read(path);
  }

  #ends(path: string): number | undefined {
    return existsSync(join(this.path, path)) ? readCertificate(this.read(path)).ends : undefined;
  }

  #draft(file: string, text: string): string {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, text, { mode: 0o600, flush: true });
    return draft;
  }
}
