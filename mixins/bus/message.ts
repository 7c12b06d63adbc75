import { upcast } from "../core/upcast.ts";
import type { Logged } from "../storage/event-store.ts";

const MOST = 64_000; // bytes; readers fetch a thousand ahead, and what is larger is rare: the record has it

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A commit as it travels: what it holds, or, where that is too much for a message, only which it is. */
export const encode = ({ position: _, ...commit }: Logged): Uint8Array => {
  const whole = encoder.encode(JSON.stringify(commit));
  return whole.length <= MOST ? whole : encoder.encode(JSON.stringify({ ...commit, events: [] }));
};

/** Undefined where it is none: anybody whom NATS lets may send there. One whose events cannot be read goes by its name: the record has them, and whoever reads them there is told what is wrong. */
export const decode = (room: string, data: Uint8Array, position: number): Logged | undefined => {
  const commit = parsed(data);
  if (typeof commit?.stream !== "string" || !Number.isInteger(commit.version) || !Array.isArray(commit.events)) return undefined;
  try {
    return { ...commit, position, events: commit.events.map((event) => upcast(room, event)) };
  } catch {
    return { ...commit, position, events: [] };
  }
};

const parsed = (data: Uint8Array): Logged | undefined => {
  try {
    return JSON.parse(decoder.decode(data)) as Logged;
  } catch {
    return undefined;
  }
};
