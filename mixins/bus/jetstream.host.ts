import { setTimeout as delay } from "node:timers/promises";
import {
  connect,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  StorageType,
} from "nats";
import { Unavailable } from "../core/errors.ts";
import { config } from "../runtime/config.ts";
import { dependsOn } from "../runtime/health.ts";
import { holdWhile } from "../runtime/lease.ts";
import { natsOptions } from "./nats.options.ts";

const WAIT = 250; // milliseconds between two attempts at the first connection
const FIRST = 2_000; // milliseconds that the first connection may take before it counts as away
const AWAY = 3_000; // milliseconds without a connection after which this process leaves what it holds to others
const TIMEOUT = 4_000; // milliseconds until an answer of JetStream's counts as lost
const HOUR = 3_600_000_000_000; // nanoseconds
const NOT_FOUND = 10_059; // JetStream's code for a stream that is not there

/** A stream as it stands now. */
export interface StreamState {
  /** Names this making of the stream: one that is made anew counts from 1 again. */
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
}

/** What is said of a room's stream where there is none. */
export const NONE: StreamState = { epoch: "none", first: 1, last: 0 };

/** The connection of this process to JetStream, shared by all rooms. While no server answers, every operation fails at once. */
export class JetStreamHost {
  static #shared?: JetStreamHost;
  static #users = 0;

  static open(): JetStreamHost {
    JetStreamHost.#shared ??= new JetStreamHost();
    JetStreamHost.#users++;
    return JetStreamHost.#shared;
  }

  readonly #connected: Promise<NatsConnection>;
  readonly #listeners = new Set<() => void>();
  readonly #forget: () => void;
  #manager?: JetStreamManager;
  /** Since when it opens, or is away. */
  #since = performance.now();
  #opened = false;
  #closed = false;
  #up = false;

  private constructor() {
    this.#connected = this.#connect();
    holdWhile(() => this.#up || performance.now() - this.#since < AWAY);
    this.#connected.then((nc) => this.#watch(nc)).catch(() => {});
    this.#forget = dependsOn("events", () => this.ask((js) => js.jetstreamManager().then((manager) => manager.getAccountInfo())));
  }

  /** Runs an operation. Throws `Unavailable` where no answer can be had; then it may have happened all the same. */
  async ask<T>(work: (nc: NatsConnection) => Promise<T>): Promise<T> {
    const nc = await this.#now();
    try {
      return await work(nc);
    } catch (error) {
      if (error instanceof NatsError && error.api_error && error.api_error.code < 500) throw error;
      throw away(error);
    }
  }

  async js(): Promise<JetStreamClient> {
    return (await this.#now()).jetstream({ timeout: TIMEOUT });
  }

  /** How the room's stream stands, `NONE` where there is none. */
  state(room: string): Promise<StreamState> {
    return this.ask(async (nc) => {
      this.#manager ??= await nc.jetstreamManager({ timeout: TIMEOUT, checkAPI: false });
      try {
        return stateOf(await this.#manager.streams.info(streamOf(room)));
      } catch (error) {
        if ((error as NatsError).api_error?.err_code !== NOT_FOUND) throw error;
        return NONE;
      }
    });
  }

  /**
   * The same; it is made where there is none. That is for the room itself to do: NATS need not let anybody else. One that was made with
   * other bounds keeps them: `npm run doctor` says so.
   */
  async stream(room: string): Promise<StreamState> {
    const state = await this.state(room);
    if (state !== NONE) return state;
    return this.ask(async () => stateOf(await this.#manager!.streams.add({ name: streamOf(room), ...settings(room) })));
  }

  /** Deletes the room's stream, where it still is this making of it: another one follows, and whoever reads finds that it is another. */
  async forget(room: string, epoch: string): Promise<void> {
    if ((await this.stream(room)).epoch !== epoch) return;
    await this.ask(() => this.#manager!.streams.delete(streamOf(room)));
    await this.stream(room);
  }

  /** Calls back whenever the connection is there again. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (--JetStreamHost.#users > 0) return;
    JetStreamHost.#shared = undefined;
    this.#closed = true;
    this.#forget();
    holdWhile(() => true);
    if (this.#opened) await (await this.#connected).close();
  }

  /** Again and again until a server answers; after that the client comes back by itself. */
  async #connect(): Promise<NatsConnection> {
    while (!this.#closed) {
      const nc = await connect(natsOptions(config.transporter!, `banyan ${config.namespace} events`)).catch(() => undefined);
      if (nc) return nc;
      await delay(WAIT, undefined, { ref: false });
    }
    throw away(new Error("closed"));
  }

  async #now(): Promise<NatsConnection> {
    const left = this.#opened ? 0 : FIRST - (performance.now() - this.#since);
    if (!this.#up && left > 0) await Promise.race([this.#connected, delay(left, undefined, { ref: false })]);
    if (!this.#up) throw away(new Error("no server answers"));
    return this.#connected;
  }

  async #watch(nc: NatsConnection) {
    this.#opened = true;
    this.#up = true;
    if (this.#closed) return nc.close();
    for await (const { type } of nc.status()) {
      if (type === "disconnect" && this.#up) [this.#up, this.#since] = [false, performance.now()];
      if (type !== "reconnect") continue;
      this.#up = true;
      for (const listener of this.#listeners) listener();
    }
  }
}

/** A room's stream: its name stands in no subject that a room's own could be taken for. */
export const streamOf = (room: string): string => `${config.namespace}_${room}`;

const SAFE = /^[A-Za-z0-9][A-Za-z0-9_~-]{0,127}$/;

/** `banyan.<namespace>.<room>.<stream id>`. Throws where the id would be more than one word of a subject. */
export const subjectOf = (room: string, id: string): string => {
  if (!SAFE.test(id)) throw new Error(`No subject can be made of this id: ${JSON.stringify(id.slice(0, 80))}`);
  return `banyan.${config.namespace}.${room}.${id}`;
};

const settings = (room: string) => ({
  subjects: [`banyan.${config.namespace}.${room}.*`],
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  storage: StorageType.File,
  num_replicas: config.busReplicas,
  max_age: config.busMaxAgeHours * HOUR,
  max_bytes: config.busMaxMegabytes * 1_000_000,
  duplicate_window: 120_000_000_000,
});

const stateOf = ({ created, state }: { created: string; state: { first_seq: number; last_seq: number } }): StreamState => ({
  epoch: Date.parse(created).toString(36),
  first: state.first_seq,
  last: state.last_seq,
});

const away = (cause: unknown): Unavailable => {
  const error = new Unavailable("BUS_UNAVAILABLE", "The bus does not answer; try again");
  error.cause = cause;
  return error;
};
