import type { Carriers } from "./log.ts";
import { RoomLog } from "./room.log.ts";

/** Embedded, the room's own record is what carries its events: nothing is published. */
export const carriers: Carriers = {
  openLog: (room) => new RoomLog(room),
  carry: () => ({ close: async () => {} }),
};
