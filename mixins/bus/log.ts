import type { Logged, Part } from "../storage/event-store.ts";
import { RoomLog } from "./room.log.ts";

/** What a room committed, as those who follow it read it: from a place on, and a single stream where that had to wait. */
export interface Log {
  /** The commits after a place, about `limit` at once; "" is before the first. */
  log(after: string, limit: number): Promise<Part>;
  /** A stream's commits after a version, from the record. */
  read(stream: string, version: number, limit: number): Promise<Logged[]>;
  /** A place as a number, for people and for whoever waits, and the number of the log's end now. */
  progress(at: string): Promise<{ position: number; end: number }>;
  /** Whether whoever stands at this place has been handed the commit, or passed it over. */
  passed(commit: Logged, at: string): boolean;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Embedded, the room's own record is what carries its events. */
export const openLog = (room: string): Log => new RoomLog(room);
