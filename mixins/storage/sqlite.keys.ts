import { Rejected } from "../core/errors.ts";
import type { SqliteFile } from "./sqlite.file.ts";

const KEPT_FOR = 86_400_000; // milliseconds

/** The answers that a room gave under idempotency keys, in the room's file, for 24 hours; each new one sweeps two that are older. */
export class SqliteKeys {
  readonly #recall;
  readonly #forget;
  readonly #keep;
  readonly #sweep;

  constructor(file: SqliteFile) {
    const { db } = file;
    file.define(`
      CREATE TABLE IF NOT EXISTS keys (
        number INTEGER PRIMARY KEY, once TEXT NOT NULL UNIQUE, digest TEXT, answer TEXT NOT NULL, at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX IF NOT EXISTS keys_about ON keys (answer ->> 'id')`);
    this.#recall = db.prepare("SELECT digest, answer FROM keys WHERE once = ? AND at >= ?");
    this.#forget = db.prepare("DELETE FROM keys WHERE answer ->> 'id' = ?");
    this.#keep = db.prepare("INSERT OR REPLACE INTO keys (once, digest, answer, at) VALUES (?, ?, ?, ?)");
    this.#sweep = db.prepare("DELETE FROM keys WHERE number IN (SELECT number FROM keys ORDER BY number LIMIT 2) AND at < ?");
  }

  /** Inside a write: forgets what was answered about this document. */
  forget(id: string): void {
    this.#forget.run(id);
  }

  /**
   * Inside a write: what `work` answers, or what it answered when it came under this key before. Key and effect are
   * stored together or not at all. Throws `KEY_REUSED` where another request came under the key.
   */
  once<T>(once: string, digest: string | undefined, now: number, work: () => T): T {
    const before = this.#recall.get(once, now - KEPT_FOR);
    if (before) {
      if (before.digest !== (digest ?? null)) throw new Rejected("KEY_REUSED", "This key came with another request before");
      return JSON.parse(before.answer as string);
    }
    const answer = work();
    this.#sweep.run(now - KEPT_FOR);
    this.#keep.run(once, digest ?? null, JSON.stringify(answer), now);
    return answer;
  }
}
