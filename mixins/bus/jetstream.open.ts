import type { Outbox } from "../storage/outbox.ts";
import { JetStreamLog } from "./jetstream.log.ts";
import type { Carriers } from "./log.ts";
import { Publisher } from "./publisher.ts";

/** In a cluster, a room's events travel by a stream of JetStream. */
export const carriers: Carriers = {
  openLog: (room) => new JetStreamLog(room),
  carry: (room, record, logger) => new Publisher(room, record as Outbox, logger),
};
