import type { Logger } from "moleculer";
import { config } from "../runtime/config.ts";
import type { Logged, Page, Part } from "../storage/event-store.ts";

/** What a room committed, as those who follow it read it: from a place on, and a single stream where that had to wait. */
export interface Log {
  /** The commits after a place, about `limit` at once; "" is before the first. */
  log(after: string, limit: number): Promise<Part>;
  /** The same from the record itself, which ends where `next` is where it began. */
  record(after: string, limit: number): Promise<Part>;
  /** A page of a stream's commits after a version, from the record. */
  read(stream: string, version: number, limit: number): Promise<Page>;
  /** A place as a number, for people and for whoever waits, and the number of the log's end now. */
  progress(at: string): Promise<{ position: number; end: number }>;
  /** Whether whoever stands at this place has been handed the commit, or passed it over. */
  passed(commit: Logged, at: string): boolean;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Publishes what a room commits. */
export interface Carrier {
  /** What is stored here and not on the bus yet: how many commits, and how old the oldest is, in milliseconds. */
  lag?(): { waiting: number; age: number };
  close(): Promise<void>;
}

/** What takes a room's events to those who follow it. */
export interface Carriers {
  openLog(room: string): Log;
  /** Publishes what is committed to the record, by this process at once, by a dead one after a while. */
  carry(room: string, record: object | undefined, logger: Logger): Carrier;
}

/** On the driver that the environment names; the other one is not even loaded. */
const { carriers } = config.transporter ? await import("./jetstream.open.ts") : await import("./room.open.ts");
export const { openLog, carry } = carriers;
