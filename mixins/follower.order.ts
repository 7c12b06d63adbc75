import { weigh } from "./core/freeze.ts";
import type { Logged } from "./storage/event-store.ts";

/** Commits to take in, and the versions that their streams have reached with them. */
export interface Ordered {
  readonly commits: Logged[];
  readonly reached?: Map<string, number>;
  /** Set where the record had more than is taken in at once: what came is to be put in order once more. */
  readonly more?: true;
}

const MOST = 16_000_000; // bytes, about, that gaps are filled with at once

/**
 * Puts right what a bus brings: at least once, in no promised order, and what is too large for it by name only (a commit
 * without events). What a stream has reached already is dropped; a gap is filled from the record, which may go beyond what
 * came, and what comes of it later is dropped then. Of a commit that the record does not know nothing is taken.
 */
export const ordered = async (
  commits: readonly Logged[],
  before: ReadonlyMap<string, number>,
  read: (stream: string, after: number) => Promise<Logged[]>,
): Promise<Ordered> => {
  const reached = new Map(before);
  const found: Logged[] = [];
  let size = 0;
  const result = (more?: true): Ordered => {
    for (const [stream, version] of before) if (reached.get(stream) === version) reached.delete(stream);
    return { commits: found, reached, ...(more && { more }) };
  };
  for (const commit of commits) {
    const { stream, version, events } = commit;
    for (;;) {
      const at = reached.get(stream) ?? 0;
      if (version <= at) break;
      if (version === at + 1 && events.length > 0) {
        found.push(commit);
        reached.set(stream, version);
        break;
      }
      if (size > MOST) return result(true);
      const missing = await read(stream, at);
      if (missing.length === 0) break;
      found.push(...missing);
      reached.set(stream, missing.at(-1)!.version);
      size += weigh(missing);
    }
  }
  return result();
};
