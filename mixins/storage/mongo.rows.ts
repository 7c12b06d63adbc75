import type { Looked, Stored } from "./collection-store.ts";
import { type Change, type DocumentEvent, told } from "./document-log.ts";
import type { Logged } from "./event-store.ts";
import type { Row } from "./mongo.host.ts";

/** An answer that was given under a caller's key, as JSON. */
export interface Answered {
  readonly once: string;
  readonly digest?: string;
  readonly answer: string;
  readonly at: number;
}

/** What a stored document carries of the write that made it; nobody outside sees it. */
export interface Origin extends Change {
  /** Still to be published. */
  readonly open?: 1;
  /** When it was removed: the row is a tombstone. */
  readonly removed?: number;
  /** Set by the last write that depends on this document and does not change it. */
  readonly held?: string;
  readonly keys?: readonly Answered[];
}

/** A document as it stands on MongoDB: its fields beside `_id`, `version` and `_write`. */
export interface DocumentRow extends Row {
  version: number;
  _write: Origin;
}

/**
 * A value as every MongoDB speaker takes it: in names of fields dots, NUL and a `$` at the beginning mean something to
 * some of them, so they are written as `~` and two hex digits; half characters would come back as others.
 */
export const storable = (value: unknown): unknown => {
  if (typeof value === "string") return value.isWellFormed() ? value : value.toWellFormed();
  if (typeof value === "number") return value === 0 ? 0 : value; // -0 is 0
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(entries.map(([key, part]) => [escapeName(key), storable(part)]));
};

export const escapeName = (name: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name in BSON ends at NUL
  name.toWellFormed().replace(/^\$|[~.\u0000]/g, (c) => `~${c.charCodeAt(0).toString(16).padStart(2, "0")}`);

const restored = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(restored);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [unescapeName(key), restored(part)]));
};

const unescapeName = (name: string): string =>
  name.includes("~") ? name.replace(/~([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : name;

/** The document of a row, without what it carries of its write. */
export const documentOf = ({ _write, ...document }: Row): Stored => restored(document) as Stored;

export const lookedOf = (row: DocumentRow): Looked => ({
  document: documentOf(row),
  removed: row._write.removed !== undefined,
  occurredAt: row._write.occurredAt,
});

/** A row's event, as a log has it. */
export const commitOf = (row: DocumentRow): Logged<DocumentEvent> => {
  const { open, removed, held, keys, type, ...origin } = row._write;
  const document = told(documentOf(row));
  const event: DocumentEvent = removed === undefined ? { type, document } : { type };
  return { ...origin, position: 0, stream: row._id, version: row.version, events: [event] };
};
