import { createHash } from "node:crypto";
import { type Entry, type PortableRecord, PROVEN, SECTIONS, type Section } from "./portable-record.ts";

/** How many entries, and a digest of them in whatever order. */
export interface Sum {
  readonly count: number;
  readonly digest: string;
}

/** What a system holds, room by room and section by section; empty sections are left out. */
export type Inventory = Readonly<Record<string, Partial<Readonly<Record<Section, Sum>>>>>;

const BATCH = 2_000;
const MODULUS = 1n << 128n;

/** Sums of digests: the same for the same entries in any order, and another for an entry more, less or twice. */
export class Tally {
  #count = 0;
  #sum = 0n;

  add(entry: Entry): void {
    this.#count++;
    const digest = createHash("sha256").update(canonical(entry)).digest();
    this.#sum = (this.#sum + (digest.readBigUInt64BE(0) << 64n) + digest.readBigUInt64BE(8)) % MODULUS;
  }

  get sum(): Sum {
    return { count: this.#count, digest: this.#sum.toString(16).padStart(32, "0") };
  }
}

/**
 * An entry as one text, whoever kept it: names in order, and as JSON has it. Half a surrogate pair is the one thing that
 * not every store keeps: it becomes U+FFFD there, and here.
 */
export const canonical = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.toWellFormed());
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const fields = Object.entries(value).filter(([, part]) => part !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, part]) => `${JSON.stringify(name.toWellFormed())}:${canonical(part)}`).join()}}`;
};

/** Told of each entry that is counted. */
export type Watch = (room: string, section: Section, entry: Entry) => void;

/** Reads all of it and answers what it holds. */
export const inventoryOf = async (
  record: PortableRecord,
  watch: Watch = () => {},
  sections: readonly Section[] = SECTIONS,
): Promise<Inventory> => {
  const inventory: Record<string, Partial<Record<Section, Sum>>> = {};
  for (const room of await record.rooms()) {
    for (const section of sections) {
      const tally = new Tally();
      for await (const entries of slices(record, room, section)) {
        for (const entry of entries) {
          tally.add(entry);
          watch(room, section, entry);
        }
      }
      if (tally.sum.count > 0) inventory[room] = { ...inventory[room], [section]: tally.sum };
    }
  }
  return inventory;
};

/** A section from its beginning to its end. */
export async function* slices(record: PortableRecord, room: string, section: Section): AsyncGenerator<Entry[]> {
  for (let after = ""; ; ) {
    const { entries, next } = await record.read(room, section, after, BATCH);
    if (entries.length > 0) yield entries;
    if (next === after) return;
    after = next;
  }
}

/** Where two differ in what must be the same: `deals commits: 12 here, 11 there`. */
export const differences = (one: Inventory, other: Inventory): string[] => {
  const rooms = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  return rooms.flatMap((room) =>
    PROVEN.flatMap((section) => {
      const [a, b] = [one[room]?.[section], other[room]?.[section]];
      if (a?.count === b?.count && a?.digest === b?.digest) return [];
      const how = a?.count === b?.count ? `${a?.count} on both sides, not the same` : `${a?.count ?? 0} there, ${b?.count ?? 0} here`;
      return [`${room} ${section}: ${how}`];
    }),
  );
};
