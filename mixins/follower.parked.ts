import type { Logger } from "moleculer";
import type { Parked } from "./storage/cursor-store.ts";
import type { Logged } from "./storage/event-store.ts";

/** Milliseconds before the second attempt, doubled each time up to a minute, half of it by chance. */
export const BACKOFF = 100;
const LONGEST = 60_000;

export const jittered = (delay: number): number => delay * (0.5 + Math.random() / 2);

/** A commit that could not be taken in for the `attempts`-th time; with `dead` it is not tried again by itself. */
export const parkedOf = (
  source: string,
  { stream, version, events }: Logged,
  failure: unknown,
  attempts: number,
  dead: boolean,
): Parked => {
  const { message: error, stack } = failure instanceof Error ? failure : new Error(String(failure));
  const nextAt = dead ? undefined : Date.now() + jittered(Math.min(LONGEST, BACKOFF * 2 ** (attempts - 1)));
  return { source, stream, version, type: events[0]?.type ?? "", attempts, nextAt, error, stack, at: Date.now() };
};

export const tellParked = (logger: Logger, follower: string, { stream, version, type, attempts, error, nextAt }: Parked): void => {
  const told = { follower, stream, version, type, attempts, error };
  if (nextAt) logger.warn({ event: "follower.parked", ...told });
  else logger.error({ event: "follower.dead_letter", ...told });
};
