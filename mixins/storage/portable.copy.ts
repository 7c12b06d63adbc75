import { type Entry, type PortableRecord, type Receiver, SECTIONS, type Section } from "./portable-record.ts";

/** Told after each batch: which section of which room, and how many of its entries are through since this began. */
export type Told = (room: string, section: Section, entries: number) => void;

/** Which entries go along; all where nothing is said. */
export interface Choice {
  keep?(room: string, section: Section, entry: Entry): boolean;
  /** Before a section is read for the first time. */
  before?(section: Section): Promise<void>;
}

const BATCH = 2_000; // always the same: what was cut off is stored again as it was

/**
 * Copies a system's record, section by section of all rooms, from where it came to when it was cut off. Each batch is
 * stored before it is noted that it is, so a batch may be stored twice, which is the same as once.
 */
export const copyRecord = async (source: PortableRecord, target: Receiver, told: Told = () => {}, choice: Choice = {}): Promise<void> => {
  const rooms = await source.rooms();
  for (const section of SECTIONS) {
    await choice.before?.(section);
    for (const room of rooms) {
      let through = 0;
      for (let after = await target.place(room, section); ; ) {
        const { entries: found, next } = await source.read(room, section, after, BATCH);
        if (next === after) break;
        const entries = choice.keep ? found.filter((entry) => choice.keep!(room, section, entry)) : found;
        await target.write(room, section, entries, next);
        through += entries.length;
        told(room, section, through);
        after = next;
      }
    }
  }
  await target.settle();
};
