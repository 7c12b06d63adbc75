import { globSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { type BrokerOptions, ServiceBroker, type ServiceSchema } from "moleculer";
import settings from "../../moleculer.config.ts";
import { config } from "./config.ts";
import { prepareDataDir } from "./data-dir.ts";
import { Refused } from "./refused.ts";

const HOUSE = resolve(import.meta.dirname, "../..");

const PATIENCE = 4_000; // with calls that other nodes have sent

export interface NodeOptions {
  /** The rooms to run; all where it is left out. */
  rooms?: readonly string[];
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
  /** Is not asked any more, finishes what has begun, requests and the calls of other nodes first, and lets go of files and port. */
  stop(): Promise<void>;
}

/** Names of all rooms there are: the folders of `services` that hold a `<room>.service.ts`. */
export const allRooms = (): string[] => globSync("services/*/*.service.ts", { cwd: HOUSE }).map(roomOf).sort();

const roomOf = (file: string) => {
  const room = basename(file, ".service.ts");
  if (basename(dirname(file)) !== room) throw new Refused(`${file} must be named after its folder, ${basename(dirname(file))}.service.ts`);
  return room;
};

/**
 * Starts a node in this process, on the files under `DATA_DIR`. Throws `Refused` where a room is not to be found, the
 * folder cannot be written or the port is taken.
 */
export const startNode = async ({ rooms: wanted, others = [], quiet, broker: over }: NodeOptions = {}): Promise<RunningNode> => {
  const all = allRooms();
  const rooms = others.length > 0 && wanted?.length === 0 ? [] : choose(wanted ?? config.rooms, all);
  prepareDataDir(config.dataDir);
  if (rooms.includes("gateway")) await tryPort();

  for (const file of globSync("services/*/*.events.ts", { cwd: HOUSE })) await import(join(HOUSE, file)); // their upcasters: logs of rooms that run elsewhere are read here too
  const schemas = await Promise.all(rooms.map(load));
  const logger: BrokerOptions["logger"] = { type: "Console", options: { level: "warn", formatter: "short" } };
  const broker = new ServiceBroker({ ...settings, ...(quiet && { logger }), ...over, skipProcessEventRegistration: true });
  try {
    for (const schema of [...schemas, ...others]) broker.createService(schema);
    await broker.start();
  } catch (error) {
    await broker.stop().catch(() => {}); // what did start must not keep the process alive; the first error is the one that counts
    throw reasonOf(error);
  }
  return {
    broker,
    rooms,
    missing: all.filter((room) => !rooms.includes(room)),
    url: urlOf(broker),
    async stop() {
      const bus = broker.transit?.tx as { leave?(patience: number): Promise<void> } | undefined;
      const gateway = broker.getLocalService("gateway");
      await Promise.all([bus?.leave?.(PATIENCE), gateway && broker.destroyService(gateway)]); // what they have taken still needs the rooms
      await broker.stop();
    },
  };
};

const choose = (wanted: readonly string[], all: string[]): string[] => {
  if (all.length === 0) throw new Refused(`There is no room under ${join(HOUSE, "services")}: is the checkout whole?`);
  const named = new Set(wanted.map((room) => room.trim()).filter(Boolean));
  const unknown = [...named].filter((room) => !all.includes(room));
  if (unknown.length > 0) throw new Refused(`ROOMS: there is no room ${unknown.join(", ")}; there are ${all.join(", ")}`);
  return named.size > 0 ? all.filter((room) => named.has(room)) : all;
};

const load = async (room: string): Promise<ServiceSchema> => {
  const { default: schema } = (await import(join(HOUSE, `services/${room}/${room}.service.ts`))) as { default?: ServiceSchema };
  if (schema?.name !== room) throw new Refused(`services/${room}/${room}.service.ts must export a service named ${room}`);
  return schema;
};

/** Moleculer-web ends the process when it cannot listen; asked before, the port can be named with what to do. */
const tryPort = async () => {
  const { host, port } = config;
  const server = createServer();
  try {
    await new Promise<void>((done, failed) => server.once("error", failed).listen(port, host, done));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new Refused(`PORT: ${port} on ${host} is taken; stop what listens there or set PORT to another`);
    if (code === "EACCES") throw new Refused(`PORT: this user may not listen on ${port}; set PORT to one above 1023`);
    throw new Refused(`HOST: cannot listen on ${host} (${code}); set HOST to an address of this machine`);
  }
  await new Promise((done) => server.close(done));
};

/** An error of SQLite's on a file is about `DATA_DIR`; anything else is ours. */
const reasonOf = (error: unknown) =>
  error instanceof Error && "errcode" in error
    ? new Refused(
        `DATA_DIR: a file in ${resolve(config.dataDir)} cannot be used (${error.message}); restore it from a backup or name another folder`,
      )
    : error;

const urlOf = (broker: ServiceBroker): string | undefined => {
  const gateway = broker.getLocalService("gateway") as unknown as { server?: Server } | undefined;
  const address = gateway?.server?.address() as AddressInfo | null | undefined;
  if (!address) return undefined;
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
};
