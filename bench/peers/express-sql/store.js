import { randomUUID } from "node:crypto";
import { join } from "node:path";
import Database from "better-sqlite3";
import { seedDeal } from "../../deals.ts";

const db = new Database(join(process.env.DATA_DIR ?? "data", "deals.db"));
db.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = 10000;
  PRAGMA cache_size = -64000;
  PRAGMA mmap_size = 1073741824;
  CREATE TABLE IF NOT EXISTS deals (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, status TEXT NOT NULL,
    sale_party TEXT NOT NULL, country TEXT, currency TEXT NOT NULL, date TEXT NOT NULL,
    lines INTEGER NOT NULL, amount TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS deals_date ON deals (date, id);
  CREATE INDEX IF NOT EXISTS deals_party ON deals (sale_party, date, id);
  CREATE INDEX IF NOT EXISTS deals_status ON deals (status, date, id);
  CREATE TABLE IF NOT EXISTS lines (
    deal INTEGER NOT NULL REFERENCES deals, position INTEGER NOT NULL, product TEXT NOT NULL, warehouse TEXT NOT NULL,
    kind TEXT NOT NULL, quantity TEXT NOT NULL, rate TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (deal, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS lines_product ON lines (product);
  CREATE TABLE IF NOT EXISTS sources (
    deal INTEGER NOT NULL, line INTEGER NOT NULL, position INTEGER NOT NULL, supplier TEXT NOT NULL, quantity TEXT NOT NULL,
    cost TEXT NOT NULL, PRIMARY KEY (deal, line, position)
  ) STRICT, WITHOUT ROWID`);

const insertDeal = db.prepare(`
  INSERT INTO deals (id, version, status, sale_party, country, currency, date, lines, amount) VALUES (?, 1, 'open', ?, ?, ?, ?, ?, ?)`);
const insertLine = db.prepare("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
const insertSource = db.prepare("INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?)");

const decimal = (value) => String(Number(value.toFixed(4)));

const insert = ({ id = randomUUID(), saleParty, country = "unknown", currency, date, lines }) => {
  const priced = lines.map((line, n) => {
    const { product, warehouse = "main", kind = "goods", quantity, rate, sources = [] } = line;
    return { id: String(n + 1), product, warehouse, kind, quantity, rate, sources, amount: decimal(quantity * rate) };
  });
  const amount = decimal(priced.reduce((sum, line) => sum + Number(line.amount), 0));
  const key = insertDeal.run(id, saleParty, country, currency, date, lines.length, amount).lastInsertRowid;
  for (let n = 0; n < priced.length; n++) {
    const { product, warehouse, kind, quantity, rate, sources, amount } = priced[n];
    insertLine.run(key, n, product, warehouse, kind, quantity, rate, amount);
    for (let s = 0; s < sources.length; s++) insertSource.run(key, n, s, sources[s].supplier, sources[s].quantity, sources[s].cost);
  }
  return { id, version: 1, status: "open", saleParty, country, currency, date, amount, lines: priced, returns: [], notes: [] };
};

/** Stores a deal in a transaction of its own: on the disk when this returns. */
export const createDeal = db.transaction(insert).immediate;

/**
 * SQLite writes the JSON itself: three times as fast as reading rows and building it here, and neither Express nor anybody
 * else looks into it again.
 */
const SOURCES = `(SELECT json_group_array(json_object('supplier', supplier, 'quantity', s.quantity, 'cost', cost))
  FROM sources s WHERE s.deal = l.deal AND s.line = l.position)`;
const LINES = `(SELECT json_group_array(json_object('id', CAST(l.position + 1 AS TEXT), 'product', product, 'warehouse', warehouse,
  'kind', kind, 'quantity', quantity, 'rate', rate, 'sources', json(${SOURCES}), 'amount', l.amount)) FROM lines l WHERE l.deal = d.key)`;
const HEADER = `'id', id, 'version', version, 'status', status, 'saleParty', sale_party, 'country', country, 'currency', currency,
  'date', date, 'amount', amount`;
const DEAL = `json_object(${HEADER}, 'lines', json(${LINES}), 'returns', json_array(), 'notes', json_array())`;
const SUMMARY = `json_object(${HEADER}, 'lines', lines)`;

const byId = db.prepare(`SELECT ${DEAL} FROM deals d WHERE id = ?`).pluck();

/** The deal as JSON text. */
export const findDeal = (id) => byId.get(id);

const lists = new Map();

/** The deals that `filter` (status, sale_party) allows, as JSON text; one statement for each combination of filters and order. */
export const listDeals = ({ limit, sort, ...filter }) => {
  const columns = Object.keys(filter);
  const name = `${sort} ${columns}`;
  let list = lists.get(name);
  if (!list) {
    const where = columns.length > 0 ? `WHERE ${columns.map((column) => `${column} = ?`).join(" AND ")}` : "";
    const direction = sort === "date" ? "ASC" : "DESC";
    list = db.prepare(`SELECT id, ${SUMMARY} FROM deals ${where} ORDER BY date ${direction}, id ${direction} LIMIT ?`).raw();
    lists.set(name, list);
  }
  const rows = list.all(...Object.values(filter), limit);
  const next = rows.length === limit ? JSON.stringify(rows[limit - 1][0]) : null;
  return `{"items":[${rows.map((row) => row[1]).join(",")}],"next":${next}}`;
};

/** Puts the bench's deals into an empty database. */
export const seed = db.transaction((count) => {
  if (db.prepare("SELECT count(*) FROM deals").pluck().get() > 0) return;
  for (let n = 0; n < count; n++) insert(seedDeal(n));
});
