import type { ServiceBroker } from "moleculer";
import { Rejected } from "./core/errors.ts";
import { allRooms, roomsWith, withinReach } from "./runtime/rooms.ts";

/**
 * The rooms that somebody asks about by what they have: the one that he names, or all within reach. Throws `ROOM_UNFIT`
 * where it has no such thing, or there is no such room; one that is away is asked all the same, and says so.
 */
export const roomsAsked = (broker: ServiceBroker, feature: string, room?: string): string[] => {
  const rooms = roomsWith(broker, feature);
  if (room === undefined) return rooms;
  const away = allRooms().includes(room) && !withinReach(broker).some(({ name }) => name === room);
  if (!rooms.includes(room) && !away) throw new Rejected("ROOM_UNFIT", `room must be one of ${rooms.join(", ")}`);
  return [room];
};
