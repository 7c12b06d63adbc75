import type { Logged } from "../storage/event-store.ts";
import { RoomLog } from "./room.log.ts";

/** What a room committed, as those who follow it read it: by position, and a single stream where that had to wait. */
export interface Log {
  log(after: number, limit: number): Promise<Logged[]>;
  read(stream: string, version: number, limit: number): Promise<Logged[]>;
  end(): Promise<number>;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Embedded, the room's own record is what carries its events. */
export const openLog = (room: string): Log => new RoomLog(room);
