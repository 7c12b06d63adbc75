/**
 * Entries by id, persistent: a changed table shares all but one path with the one before it, so that a state with ten
 * thousand reservations costs a few small arrays per event. A hash trie, 16 parts a level, plain JSON. Each branch knows
 * when the first of its entries lapses, so what is due is found without a walk through the rest.
 */
export interface Entry {
  readonly id: string;
  /** When it lapses, in milliseconds; without it, never. */
  readonly until?: number;
}

export type Table<T extends Entry> = readonly T[] | Branch<T>;

interface Branch<T extends Entry> {
  readonly parts: readonly Table<T>[];
  readonly until?: number;
}

const BITS = 4;
const WIDTH = 2 ** BITS;
const DEPTH = 32 / BITS;
const LEAF = 12;

/** `in` on an array is slow, and this is asked often. */
const isBranch = <T extends Entry>(table: Table<T>): table is Branch<T> => !Array.isArray(table);

export const find = <T extends Entry>(table: Table<T>, id: string): T | undefined => {
  if (!isBranch(table) && table.length === 0) return undefined;
  const hash = hashOf(id);
  let node = table;
  for (let depth = 0; isBranch(node); depth++) node = node.parts[part(hash, depth)]!;
  for (const entry of node) if (entry.id === id) return entry;
  return undefined;
};

/** The table with this entry, in place of one with the same id. */
export const put = <T extends Entry>(table: Table<T>, entry: T): Table<T> => insert(table, entry, hashOf(entry.id), 0);

export const remove = <T extends Entry>(table: Table<T>, id: string): Table<T> => take(table, id, hashOf(id), 0);

/** The entries that have lapsed by `now`. */
export const due = <T extends Entry>(table: Table<T>, now: number): T[] => {
  if (soonest(table) > now) return [];
  if (isBranch(table)) return table.parts.flatMap((node) => due(node, now));
  return table.filter((entry) => entry.until !== undefined && entry.until <= now);
};

export const entries = <T extends Entry>(table: Table<T>): readonly T[] => (isBranch(table) ? table.parts.flatMap(entries) : table);

export const size = <T extends Entry>(table: Table<T>): number =>
  isBranch(table) ? table.parts.reduce((sum, node) => sum + size(node), 0) : table.length;

const insert = <T extends Entry>(table: Table<T>, entry: T, hash: number, depth: number): Table<T> => {
  if (isBranch(table)) {
    const at = part(hash, depth);
    const parts = table.parts.with(at, insert(table.parts[at]!, entry, hash, depth + 1));
    const until = entry.until === undefined ? table.until : Math.min(entry.until, table.until ?? entry.until);
    return until === undefined ? { parts } : { parts, until };
  }
  const at = table.findIndex(({ id }) => id === entry.id);
  if (at >= 0) return table.with(at, entry);
  const leaf = [...table, entry];
  if (leaf.length <= LEAF || depth === DEPTH) return leaf;
  const parts = Array.from({ length: WIDTH }, (): T[] => []);
  for (const each of leaf) parts[part(hashOf(each.id), depth)]!.push(each);
  return branch(parts);
};

const take = <T extends Entry>(table: Table<T>, id: string, hash: number, depth: number): Table<T> => {
  if (!isBranch(table)) return table.filter((entry) => entry.id !== id);
  const at = part(hash, depth);
  const parts = table.parts.with(at, take(table.parts[at]!, id, hash, depth + 1));
  let left = 0;
  for (const node of parts) left += isBranch(node) ? LEAF : node.length;
  if (left <= LEAF / 2) return entries({ parts });
  return table.until === undefined ? { parts } : branch(parts);
};

const branch = <T extends Entry>(parts: readonly Table<T>[]): Branch<T> => {
  let until = Number.POSITIVE_INFINITY;
  for (const node of parts) until = Math.min(until, soonest(node));
  return until === Number.POSITIVE_INFINITY ? { parts } : { parts, until };
};

const soonest = <T extends Entry>(table: Table<T>): number => {
  if (isBranch(table)) return table.until ?? Number.POSITIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;
  for (const entry of table) if (entry.until !== undefined && entry.until < until) until = entry.until;
  return until;
};

const part = (hash: number, depth: number) => (hash >>> (depth * BITS)) & (WIDTH - 1);

/** FNV-1a, then a mix of the bits: ids that differ in their last character only must not stand together. */
const hashOf = (id: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
};
