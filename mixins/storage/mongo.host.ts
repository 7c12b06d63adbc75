import {
  type Collection,
  type Db,
  type Document,
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
  MongoWriteConcernError,
} from "mongodb";
import { Unavailable } from "../core/errors.ts";
import { config, ENCRYPTED } from "../runtime/config.ts";
import { dependsOn } from "../runtime/health.ts";
import { clientTls } from "../trust/client.tls.ts";
import { endWithConnection } from "./mongo.connection.ts";

const TIMEOUT = 5_000; // milliseconds until an operation counts as in doubt
const SELECT = 2_000; // milliseconds to find a server that takes writes, where it is not known that there is none
const WRITABLE = new Set<string>(["Standalone", "RSPrimary", "Mongos", "LoadBalancer"]);
const DUPLICATE = 11_000;
/** A server that failed inside, is the primary no more, or about to stop (the driver labels them only where it repeats writes itself). One that names no code has failed, too. */
const RETRYABLE = new Set([1, 8, 91, 189, 262, 9001, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436]);

endWithConnection();

/** Documents of ours are known by a text. */
export type Row = Document & { _id: string };

/**
 * The connection of this process to MongoDB, shared by all rooms; each room has a database of its own. What is written
 * is on the disks of a majority before it is acknowledged. While no server takes writes, every operation fails at once.
 */
export class MongoHost {
  static #shared?: MongoHost;
  static #users = 0;

  /** One connection per process; each `open` wants its own `close`. */
  static open(): MongoHost {
    MongoHost.#shared ??= new MongoHost(config.mongoUrl!);
    MongoHost.#users++;
    return MongoHost.#shared;
  }

  readonly client: MongoClient;
  readonly #forget: () => void;
  readonly #waiting: ((up: boolean) => void)[] = [];
  #probing?: Promise<unknown>;
  #up = true;

  private constructor(url: string) {
    this.client = clientOf(url, config.namespace);
    this.client.on("topologyDescriptionChanged", ({ newDescription }) => {
      const servers = [...newDescription.servers.values()];
      this.#up = servers.some(({ type, error }) => WRITABLE.has(type) || (type === "Unknown" && !error)); // one that has not been asked yet may be there
      if (this.#up) for (const tell of this.#waiting.splice(0)) tell(true);
    });
    this.#forget = dependsOn("mongodb", () => this.client.db("admin").command({ ping: 1 }));
  }

  /** Whether a server is known to answer. */
  get up(): boolean {
    return this.#up;
  }

  /** Resolves once a server takes writes, at the latest after `patience` milliseconds, and says whether one does. */
  back(patience: number): Promise<boolean> {
    if (this.#up) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      setTimeout(() => resolve(this.#up), patience).unref();
    });
  }

  /** The database of a room: `<namespace>_<room>`. */
  room(room: string): Db {
    return this.client.db(`${config.namespace}_${room}`);
  }

  /** Runs an operation on the server. Throws `Unavailable` where no answer can be had; then it may have happened all the same. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#up) {
      this.#probing ??= this.client // what tells that it is back
        .db("admin")
        .command({ ping: 1 })
        .catch(() => {})
        .finally(() => {
          this.#probing = undefined;
        });
      throw unavailable(new Error("no server answers"));
    }
    try {
      return await work();
    } catch (error) {
      throw isDoubt(error) ? unavailable(error) : error;
    }
  }

  async close(): Promise<void> {
    if (--MongoHost.#users > 0) return;
    MongoHost.#shared = undefined;
    this.#forget();
    await this.client.close();
  }
}

/** What a client of this address shows the server, and knows it by. The driver keeps it: certificates that are renewed count from the next start on. */
export const mongoTls = (url: string): ConstructorParameters<typeof MongoClient>[1] =>
  ENCRYPTED.MONGO_URL.is(url) ? (clientTls() as object) : {};

/** A client with what we rest on. `timeout`: milliseconds until an operation counts as in doubt. */
export const clientOf = (url: string, namespace: string, timeout = TIMEOUT): MongoClient =>
  new MongoClient(url, {
    ...mongoTls(url),
    appName: `banyan ${namespace}`,
    writeConcern: { w: "majority", journal: true },
    readConcern: { level: "majority" }, // what a fail-over could still take back is not seen yet,
    readPreference: "primary", // and what was acknowledged is
    retryWrites: false, // an insert that was repeated tells itself by its id; standalone servers refuse the option
    retryReads: true,
    serverSelectionTimeoutMS: SELECT,
    connectTimeoutMS: 2_000,
    socketTimeoutMS: timeout,
    heartbeatFrequencyMS: 1_000,
    minHeartbeatFrequencyMS: 50,
    maxPoolSize: 50,
    ignoreUndefined: true,
  } as ConstructorParameters<typeof MongoClient>[1]);

/** A collection whose documents have a text as `_id`. */
export const rows = <T extends Row = Row>(db: Db, name: string): Collection<T> => db.collection<T>(name);

/** That there is a document with this `_id` (or unique value) already. */
export const isDuplicate = (error: unknown): boolean => error instanceof MongoServerError && error.code === DUPLICATE;

/** Which of the documents of an unordered insert were refused because their `_id` is taken. Throws what is no such refusal. */
export const refusedOf = (error: unknown): Set<number> => {
  if (!(error instanceof MongoBulkWriteError)) throw error;
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  if (errors.length === 0) throw error; // a lost connection says so, too: in doubt, not refused
  for (const { code } of errors) if (code !== DUPLICATE) throw error;
  return new Set(errors.map(({ index }) => index));
};

/** A server that refused what it was sent has said so; anything else leaves open whether it happened. */
const isDoubt = (error: unknown): boolean => {
  if (error instanceof MongoBulkWriteError) {
    const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
    return errors.length === 0;
  }
  if (error instanceof MongoWriteConcernError) return true; // it is on one server, and not on as many as it should be yet
  if (error instanceof MongoServerError)
    return (
      error.code === undefined ||
      RETRYABLE.has(Number(error.code)) ||
      error.hasErrorLabel("RetryableWriteError") ||
      error.hasErrorLabel("RetryableError")
    );
  return error instanceof Error && error.name.startsWith("Mongo");
};

/** What is told where the server cannot be asked, or has not said what came of it. */
export const unavailable = (cause: unknown): Unavailable => {
  const error = new Unavailable("STORE_UNAVAILABLE", "The store could not say that it has the write");
  error.cause = cause;
  return error;
};
