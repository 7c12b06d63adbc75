import { existsSync } from "node:fs";
import type { Server } from "node:http";
import { join, resolve } from "node:path";
import { type BrokerOptions, ServiceBroker, type ServiceSchema } from "moleculer";
import settings from "../../moleculer.config.ts";
import { config } from "./config.ts";
import { prepareDataDir } from "./data-dir.ts";
import { loadEvents, schemaOf } from "./declared.ts";
import { tryPort, urlOf } from "./port.ts";
import { Refused } from "./refused.ts";
import { allRooms } from "./rooms.ts";
import { tellStatus } from "./status.ts";

export { allRooms };

const HOUSE = resolve(import.meta.dirname, "../..");

const PATIENCE = 4_000; // with calls that other nodes have sent
const SOON = 1_000; // milliseconds for what ends soon; what takes longer is handed over, and its callers are told that it goes on

export interface NodeOptions {
  /** The rooms to run; all where it is left out. */
  rooms?: readonly string[];
  /** Where this node tells its health and figures beside the gateway's door, if it has one; 0 for nowhere. */
  statusPort?: number;
  /** Rooms from elsewhere, beside them: what tests and benches are made of. With `rooms: []` they are all there is. */
  others?: readonly ServiceSchema[];
  /** Says nothing below a warning, and that in a line for people: for tools that run a node of their own. */
  quiet?: boolean;
  /** Goes over the settings of `moleculer.config.ts`. */
  broker?: Partial<BrokerOptions>;
}

export interface RunningNode {
  broker: ServiceBroker;
  rooms: string[];
  /** Rooms that exist and do not run here; calls to them fail with `ServiceNotFoundError`. */
  missing: string[];
  /** Where the gateway listens, if it runs here. */
  url?: string;
  /** Where its health and figures are told. */
  statusUrl?: string;
  /** Is not asked any more, finishes what has begun, requests and the calls of other nodes first, and lets go of files and port. */
  stop(): Promise<void>;
}

/**
 * Starts a node in this process, on the files under `DATA_DIR`. Throws `Refused` where a room is not to be found, the
 * folder cannot be written or the port is taken.
 */
export const startNode = async (options: NodeOptions = {}): Promise<RunningNode> => {
  const { rooms: wanted, others = [], statusPort, quiet, broker: over } = options;
  const all = allRooms();
  const rooms = others.length > 0 && wanted?.length === 0 ? [] : wanted ? choose(wanted, all) : choose(config.rooms, all, "ROOMS: there");
  if (!config.mongoUrl) prepareDataDir(config.dataDir);
  else if (rooms.some((room) => room !== "gateway")) await requireSettled();
  if (rooms.includes("gateway")) await tryPort(config.host, config.port, "PORT");

  await loadEvents();
  const schemas = await Promise.all(rooms.map(load));
  const logger: BrokerOptions["logger"] = { type: "Console", options: { level: "warn", formatter: "short" } };
  const broker = new ServiceBroker({ ...settings, ...(quiet && { logger }), ...over, skipProcessEventRegistration: true });
  if (config.transporter) (await import("../trust/node-identity.ts")).requireIdentity(broker.nodeID);
  const status = statusPort ? await tellStatus(broker, config.host, statusPort) : undefined;
  try {
    await bringUpAll(rooms, broker);
    for (const schema of [...schemas, ...others]) broker.createService(schema);
    await broker.start();
  } catch (error) {
    status?.close();
    await broker.stop().catch(() => {}); // what did start must not keep the process alive; the first error is the one that counts
    throw reasonOf(error);
  }
  return {
    broker,
    rooms,
    missing: all.filter((room) => !rooms.includes(room)),
    url: urlOf((broker.getLocalService("gateway") as unknown as { server?: Server } | undefined)?.server),
    statusUrl: status?.url,
    async stop() {
      status?.deny();
      const bus = broker.transit?.tx as { leave?(patience: number): Promise<void> } | undefined;
      const gateway = broker.getLocalService("gateway");
      const handingOver = setTimeout(() => broker.broadcastLocal("$node.handsOver"), SOON);
      await Promise.all([bus?.leave?.(PATIENCE), gateway && broker.destroyService(gateway)]); // what they have taken still needs the rooms
      await broker.stop();
      clearTimeout(handingOver);
      status?.close();
    },
  };
};

/** Throws `Refused` where a move into the cluster's databases was cut off: what is there is half a house. */
const requireSettled = async () => {
  const { requireWhole } = await import("../storage/mongo.whole.ts");
  await requireWhole();
};

/** Runs the steps of the rooms' schemas that nobody has run yet, and refuses rooms that are older than what others have made of their stores. */
const bringUpAll = async (rooms: readonly string[], broker: ServiceBroker) => {
  const { bringUp } = await import("../schema.ts");
  for (const room of rooms) {
    const steps = await schemaOf(room);
    const kept = config.mongoUrl ? room !== "gateway" : existsSync(join(config.dataDir, `${room}.db`)); // what nobody has kept nobody has changed
    if (steps.length === 0 && !kept) continue;
    await bringUp(room, steps, ({ number, says }) => broker.logger.info({ event: "schema.step", room, number, says }));
  }
};

/** The rooms that are wanted; all where none is. `source` begins the sentence that says that one does not exist. */
const choose = (wanted: readonly string[], all: string[], source = "There"): string[] => {
  if (all.length === 0) throw new Refused(`There is no room under ${join(HOUSE, "services")}: is the checkout whole?`);
  const named = new Set(wanted.map((room) => room.trim()).filter(Boolean));
  const unknown = [...named].filter((room) => !all.includes(room));
  if (unknown.length > 0) throw new Refused(`${source} is no room ${unknown.join(", ")}; there are ${all.join(", ")}`);
  return named.size > 0 ? all.filter((room) => named.has(room)) : all;
};

const load = async (room: string): Promise<ServiceSchema> => {
  const { default: schema } = (await import(join(HOUSE, `services/${room}/${room}.service.ts`))) as { default?: ServiceSchema };
  if (schema?.name !== room) throw new Refused(`services/${room}/${room}.service.ts must export a service named ${room}`);
  return schema;
};

/** An error of SQLite's on a file is about `DATA_DIR`; anything else is ours. */
const reasonOf = (error: unknown) =>
  error instanceof Error && "errcode" in error
    ? new Refused(
        `DATA_DIR: a file in ${resolve(config.dataDir)} cannot be used (${error.message}); restore it from a backup or name another folder`,
      )
    : error;
