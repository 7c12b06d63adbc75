import type { Follower } from "./follower.ts";

const PAGE = 2_000;

/** What a follower is to take in again. */
export interface Replay {
  commits: number;
  streams: number;
}

/**
 * Sets a follower back, so that it takes in again what its source has committed since a moment (milliseconds), or all of it, from
 * the record. Undefined where another process works for the follower, which is the one to be asked: what a stream has reached is
 * to be lowered where nobody raises it meanwhile. What follows a second time carries the keys of the first.
 */
export const replay = async (follower: Follower, since = 0): Promise<Replay | undefined> => {
  const { name, source, log, cursors, mayWork } = follower.following;
  if (cursors.reached && !mayWork()) return undefined;
  return follower.pause(async () => {
    const lowest = new Map<string, number>();
    let [commits, first] = [0, Number.POSITIVE_INFINITY];
    for (let after = "", more = true; more; ) {
      const part = await log.record(after, PAGE);
      for (const { stream, version, at, position } of part.commits) {
        if (at < since) continue;
        commits++;
        first = Math.min(first, position);
        lowest.set(stream, Math.min(version, lowest.get(stream) ?? version));
      }
      more = part.next !== after;
      after = part.next;
    }
    if (commits > 0) await cursors.rewind(name, source, first, lowest);
    return { commits, streams: lowest.size };
  });
};
