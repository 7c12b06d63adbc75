import { DatabaseSync } from "node:sqlite";

/**
 * `node:sqlite` in the shape of the package `sqlite3`, as far as Sequelize looks, for its option `dialectModule`: that
 * package downloads its binary from GitHub or compiles for a minute, which not every machine can. This one costs Sequelize
 * less, not more: no hop to a thread pool and back, and statements with parameters are compiled once.
 */
export const OPEN_READWRITE = 2;
export const OPEN_CREATE = 4;

const CODES = { 5: "SQLITE_BUSY", 19: "SQLITE_CONSTRAINT" };

export class Database {
  #db;
  #statements = new Map();

  constructor(filename, _mode, opened) {
    this.filename = filename;
    this.#db = new DatabaseSync(filename, { timeout: 1_000 });
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    process.nextTick(opened, null);
  }

  serialize(work) {
    work();
  }

  run(sql, parameters, done) {
    this.#answer(done ?? parameters, () => {
      const { lastInsertRowid, changes } = this.#prepare(sql).run(...bound(parameters));
      return [new Statement(Number(lastInsertRowid), Number(changes))];
    });
  }

  all(sql, parameters, done) {
    this.#answer(done ?? parameters, () => [new Statement(0, 0), this.#prepare(sql).all(...bound(parameters))]);
  }

  close(closed) {
    this.#db.close();
    if (closed) process.nextTick(closed, null);
  }

  /** Only what comes with parameters comes again with the same text; Sequelize writes the values of a SELECT into it. */
  #prepare(sql) {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    if (sql.includes("$1") || sql.startsWith("PRAGMA table_info")) this.#statements.set(sql, statement);
    return statement;
  }

  #answer(done, work) {
    const answer = typeof done === "function" ? done : () => {};
    try {
      const [statement, rows] = work();
      process.nextTick(() => answer.call(statement, null, rows));
    } catch (error) {
      const code = CODES[error.errcode & 0xff];
      process.nextTick(() => answer.call(new Statement(0, 0), Object.assign(error, { code })));
    }
  }
}

/** Sequelize asks what constructor it is of, and takes these two. */
class Statement {
  constructor(lastID, changes) {
    this.lastID = lastID;
    this.changes = changes;
  }
}

const plain = (value) => (typeof value === "boolean" ? Number(value) : (value ?? null));

const bound = (parameters) => {
  if (Array.isArray(parameters)) return parameters.map(plain);
  if (typeof parameters !== "object" || parameters === null) return [];
  return [Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, plain(value)]))];
};
