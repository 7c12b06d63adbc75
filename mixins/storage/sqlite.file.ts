import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { Unavailable } from "../core/errors.ts";
import { config } from "../runtime/config.ts";
import { dependsOn } from "../runtime/health.ts";

interface Write {
  work: () => unknown;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

const BUSY = 5; // SQLite's result code while another process writes
const OWN_FAULT = new Set([18, 19, 20]); // too big, against a constraint, of the wrong type: about what one write brings
const PATIENCE = 5_000;
const LOOK = 25; // milliseconds between two looks for what other processes stored

/**
 * One room's SQLite file in this process: one connection, whoever uses it, and one queue of writes. Writes of one tick
 * share a transaction, so one fsync serves them all, and what belongs together (documents and their cursor) is stored
 * together by being one write.
 */
export class SqliteFile {
  static readonly #open = new Map<string, SqliteFile>();

  /** The room's file under `DATA_DIR`, opened once per process; each `open` wants its own `close`. */
  static open(room: string, dir: string = config.dataDir): SqliteFile {
    mkdirSync(dir, { recursive: true });
    const path = join(dir, `${room}.db`);
    const file = SqliteFile.#open.get(path) ?? new SqliteFile(path);
    SqliteFile.#open.set(path, file);
    file.#users++;
    return file;
  }

  readonly db: DatabaseSync;
  readonly #path: string;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #version: StatementSync;
  readonly #listeners = new Set<() => void>();
  readonly #forget: () => void;
  #users = 0;
  #waiting: Write[] = [];
  #writing = Promise.resolve();
  #look?: NodeJS.Timeout;
  #seen = 0;
  #outside?: number;
  readonly #moveOn = () => {
    this.#outside = undefined;
  };

  private constructor(path: string) {
    this.#path = path;
    this.db = new DatabaseSync(path, { timeout: 20 }); // the wait blocks this thread: short, and `#run` comes again
    this.define(
      "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 20000; PRAGMA cache_size = -4000",
    );
    this.#begin = this.db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.db.prepare("COMMIT");
    this.#version = this.db.prepare("PRAGMA data_version");
    this.#forget = dependsOn(`store ${basename(path, ".db")}`, () => this.write(() => {}));
  }

  /** Runs what a store declares before it works (`CREATE … IF NOT EXISTS`), and waits where other processes start on the file just now. */
  define(sql: string): void {
    for (const start = Date.now(); ; Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.random() * 10)) {
      try {
        this.db.exec(sql);
        return;
      } catch (error) {
        if ((error as { errcode?: number }).errcode !== BUSY || Date.now() - start > PATIENCE) throw error;
      }
    }
  }

  /**
   * Runs `work` inside the next transaction and resolves with its result once that is on the disk. `work` must not
   * await, and may run again: after another process was first, or without a neighbour that threw. What it throws
   * undoes what it wrote, and nobody else's. Rejects with `Unavailable` where the store cannot say that it has it.
   */
  write<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.push({ work, resolve: resolve as Write["resolve"], reject }) > 1) return;
      this.#writing = this.#writing.then(() => new Promise(setImmediate)).then(() => this.#run());
    });
  }

  /** Tells `listener` that something may be new in the file, written here or by another process. Answers how to stop it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#look ??= setInterval(() => this.#lookOutside(), LOOK).unref();
    return () => this.#listeners.delete(listener);
  }

  /**
   * A number that changes when another process has written to the file, and stays when only this one has. It costs two
   * microseconds, so it is kept until this thread has done what it does right now, and no longer: what is read next, even
   * in the same turn of the event loop, may have come after it. Under the lock only `now` is right.
   */
  outside(now = false): number {
    if (now) return this.#version.get()!.data_version as number;
    if (this.#outside === undefined) {
      this.#outside = this.#version.get()!.data_version as number;
      process.nextTick(this.#moveOn);
    }
    return this.#outside;
  }

  async close() {
    if (--this.#users > 0) return;
    SqliteFile.#open.delete(this.#path);
    clearInterval(this.#look);
    this.#forget();
    await this.#writing;
    this.db.close();
  }

  #lookOutside() {
    const version = this.outside(true);
    if (version === this.#seen) return;
    this.#seen = version;
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  async #run() {
    let batch = this.#waiting;
    this.#waiting = [];
    for (const start = Date.now(); batch.length > 0; ) {
      try {
        const results = this.#transact(batch);
        for (const [i, { resolve }] of batch.entries()) resolve(results[i]);
        this.#tell();
        return;
      } catch (error) {
        if (error instanceof Refusal) {
          error.write.reject(error.cause);
          batch = batch.filter((write) => write !== error.write);
        } else if ((error as { errcode?: number }).errcode === BUSY && Date.now() - start < PATIENCE) {
          await delay(5);
        } else {
          const unavailable = new Unavailable("STORE_UNAVAILABLE", "The store could not say that it has the write");
          unavailable.cause = error;
          for (const { reject } of batch) reject(unavailable);
          return;
        }
      }
    }
  }

  /** One transaction from its first statement to its last without an `await`: the connection is never left holding the lock. */
  #transact(batch: Write[]): unknown[] {
    this.#begin.run();
    try {
      const results = batch.map((write) => {
        try {
          return write.work();
        } catch (error) {
          const { errcode } = error as { errcode?: number };
          if (errcode !== undefined && !OWN_FAULT.has(errcode & 0xff)) throw error; // SQLite's own: the batch's matter
          throw new Refusal(write, error);
        }
      });
      this.#commit.run();
      return results;
    } finally {
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
    }
  }
}

/** A write that threw on its own account; the others of its batch go again without it. */
class Refusal extends Error {
  readonly write: Write;
  constructor(write: Write, cause: unknown) {
    super("refused", { cause });
    this.write = write;
  }
}
