import { type AuditFind, type AuditRow, type AuditStore, bundles, type Chained, type Draft, type Place } from "./audit-store.ts";
import { SqliteFile } from "./sqlite.file.ts";

const LAST = "9999-99-99";

/** What the trail stands in. Indexes are made of what entries say, so nothing beside them could say otherwise. */
export const AUDIT_TABLE = `
  CREATE TABLE IF NOT EXISTS audit (
    day TEXT NOT NULL, n INTEGER NOT NULL, body TEXT NOT NULL, prev TEXT NOT NULL, chain TEXT NOT NULL, seal TEXT, PRIMARY KEY (day, n)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS audit_id ON audit (body ->> 'id');
  CREATE INDEX IF NOT EXISTS audit_user ON audit (body ->> 'user', day, n) WHERE body ->> 'user' IS NOT NULL;
  CREATE INDEX IF NOT EXISTS audit_resource ON audit (body ->> 'resource', day, n) WHERE body ->> 'resource' IS NOT NULL`;

/** The trail in the room's SQLite file, where the places of its followers are as well: an entry and how far its follower has come are one write. */
export class SqliteAuditStore implements AuditStore {
  readonly #file: SqliteFile;
  readonly #sql;

  constructor(room: string, dir?: string) {
    this.#file = SqliteFile.open(room, dir);
    this.#file.define(AUDIT_TABLE);
    const { db } = this.#file;
    const latest = (where: string) =>
      db.prepare(`SELECT * FROM audit WHERE ${where} (day, n) < (?, ?) AND day >= ? AND day <= ? ORDER BY day DESC, n DESC LIMIT ?`);
    this.#sql = {
      has: db.prepare("SELECT 1 FROM audit WHERE body ->> 'id' = ?"),
      last: db.prepare("SELECT * FROM audit ORDER BY day DESC, n DESC LIMIT 1"),
      insert: db.prepare("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)"),
      rows: db.prepare("SELECT * FROM audit WHERE (day, n) > (?, ?) ORDER BY day, n LIMIT ?"),
      one: db.prepare("SELECT * FROM audit WHERE day = ? AND n = ?"),
      dayBefore: db.prepare("SELECT * FROM audit WHERE day < ? ORDER BY day DESC, n DESC LIMIT 1"),
      all: latest(""),
      ofUser: latest("body ->> 'user' = ? AND"),
      ofResource: latest("body ->> 'resource' = ? AND"),
    };
  }

  append(drafts: readonly Draft[], chained: Chained): void {
    for (const bundle of bundles(drafts)) {
      const fresh = bundle.filter(({ id }) => !this.#sql.has.get(id));
      if (fresh.length === 0) continue;
      for (const { day, n, body, prev, chain, seal } of chained(toRow(this.#sql.last.get()), fresh)) {
        this.#sql.insert.run(day, n, body, prev, chain, seal ?? null);
      }
    }
  }

  async write(drafts: readonly Draft[], chained: Chained): Promise<void> {
    await this.#file.write(() => this.append(drafts, chained));
  }

  async rows(after: Place | undefined, limit: number): Promise<AuditRow[]> {
    return this.#sql.rows.all(after?.day ?? "", after?.n ?? 0, limit).map((row) => toRow(row)!);
  }

  async find({ user, resource, from = "", to = LAST, before }: AuditFind, limit: number): Promise<AuditRow[]> {
    const range = [before?.day ?? LAST, before?.n ?? 0, from, to, limit] as const;
    const rows =
      resource !== undefined
        ? this.#sql.ofResource.all(resource, ...range)
        : user !== undefined
          ? this.#sql.ofUser.all(user, ...range)
          : this.#sql.all.all(...range);
    return rows.map((row) => toRow(row)!);
  }

  async one({ day, n }: Place): Promise<AuditRow | undefined> {
    return toRow(this.#sql.one.get(day, n));
  }

  async ends(limit: number): Promise<AuditRow[]> {
    const ends: AuditRow[] = [];
    for (let row = toRow(this.#sql.last.get()); row && ends.length < limit; row = toRow(this.#sql.dayBefore.get(row.day))) ends.push(row);
    return ends;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const toRow = (row: Record<string, unknown> | undefined): AuditRow | undefined => {
  if (!row) return undefined;
  const { seal, ...rest } = row;
  return { ...rest, ...(seal !== null && { seal }) } as AuditRow;
};
