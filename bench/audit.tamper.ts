import type { AuditRow } from "../mixins/storage/audit-store.ts";
import { linked } from "../services/audit/audit.chain.ts";

/** What one who can write to the store might do to one entry, and where it is to be found. */
export interface Tampered {
  readonly kind: string;
  /** Places that must be named, and no others. */
  readonly places: readonly string[];
  /** The faults that say so rightly. */
  readonly faults: readonly string[];
}

type Rows = (AuditRow | undefined)[];
type Kind = (rows: Rows, i: number, j: number) => Omit<Tampered, "kind">;

const at = ({ day, n }: AuditRow) => `${day}/${n}`;
const other = (text: string, i = text.length >> 1) => text.slice(0, i) + (text[i] === "A" ? "B" : "A") + text.slice(i + 1);
/** The last letter of the last text in it: JSON all the same, or SQLite's index would not take it. */
const said = (body: string) => body.replace(/[a-z](?=[^a-z]*$)/, (letter) => (letter === "x" ? "y" : "x"));

/** Those that change `i`, and `j` beside it, in a trail of which no other entry near them is touched. */
export const KINDS: Record<string, Kind> = {
  "another content": (rows, i) => {
    const row = rows[i]!;
    rows[i] = { ...row, body: said(row.body) };
    return { places: [at(row)], faults: ["changed"] };
  },
  "another content with a hash that fits it": (rows, i) => {
    const row = rows[i]!;
    const body = said(row.body);
    rows[i] = { ...row, body, chain: linked(row.prev, body) };
    return { places: [at(row)], faults: ["replaced"] };
  },
  "another hash": (rows, i) => {
    const row = rows[i]!;
    rows[i] = { ...row, chain: other(row.chain) };
    return { places: [at(row)], faults: ["changed"] };
  },
  "another link to the one before": (rows, i) => {
    const row = rows[i]!;
    rows[i] = { ...row, prev: other(row.prev) };
    return { places: [at(row)], faults: ["changed"] };
  },
  "taken away": (rows, i) => {
    const row = rows[i]!;
    rows[i] = undefined;
    return { places: [at(row)], faults: ["missing"] };
  },
  "two contents exchanged": (rows, i, j) => {
    const [a, b] = [rows[i]!, rows[j]!];
    rows[i] = { ...a, body: b.body };
    rows[j] = { ...b, body: a.body };
    return { places: [at(a), at(b)], faults: ["moved"] };
  },
  "two entries exchanged": (rows, i, j) => {
    const [a, b] = [rows[i]!, rows[j]!];
    rows[i] = { ...b, day: a.day, n: a.n };
    rows[j] = { ...a, day: b.day, n: b.n };
    return { places: [at(a), at(b)], faults: ["moved"] };
  },
  "another number in it": (rows, i) => {
    const row = rows[i]!;
    rows[i] = { ...row, body: row.body.replace(/"n":\d+/, `"n":${row.n + 7}`) };
    return { places: [at(row)], faults: ["moved"] };
  },
};

/** Numbers that look random and are the same each time (mulberry32). */
export const numbers = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

/** Tampers with `count` entries at chosen places, none near another one. Needs a dozen entries for each. */
export const tamper = (rows: Rows, count: number, random: () => number): Tampered[] => {
  const width = Math.floor((rows.length - 8) / count);
  return Array.from({ length: count }, (_, k) => {
    const names = Object.keys(KINDS);
    const kind = names[Math.floor(random() * names.length)]!;
    const i = k * width + 1 + Math.floor(random() * (width - 6));
    return { kind, ...KINDS[kind]!(rows, i, i + 1 + Math.floor(random() * 3)) };
  });
};
