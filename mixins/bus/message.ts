import { upcast } from "../core/upcast.ts";
import type { Logged } from "../storage/event-store.ts";

const MOST = 900_000; // bytes; NATS takes a megabyte where nobody says otherwise

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A commit as it travels: what it holds, or, where that is too much for a message, only which it is. */
export const encode = ({ position: _, ...commit }: Logged): Uint8Array => {
  const whole = encoder.encode(JSON.stringify(commit));
  return whole.length <= MOST ? whole : encoder.encode(JSON.stringify({ ...commit, events: [] }));
};

export const decode = (room: string, data: Uint8Array, position: number): Logged => {
  const commit = JSON.parse(decoder.decode(data)) as Logged;
  return { ...commit, position, events: commit.events.map((event) => upcast(room, event)) };
};
