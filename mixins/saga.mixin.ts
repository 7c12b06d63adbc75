import { setTimeout as delay } from "node:timers/promises";
import type { Context, Service, ServiceSchema } from "moleculer";
import { type Log, openLog } from "./bus/log.ts";
import type { Meta } from "./core/context.ts";
import { Rejected } from "./core/errors.ts";
import type { DomainEvent } from "./core/model.ts";
import { action } from "./core/params.ts";
import type { Saga, SagaState } from "./core/saga.ts";
import type { Following } from "./dead-letters.actions.ts";
import { addFollower, followerActions } from "./follower.actions.ts";
import { Follower, type Sink } from "./follower.ts";
import { Lease, me } from "./runtime/lease.ts";
import { tellFigures } from "./runtime/room.figures.ts";
import type { Origin } from "./saga.record.ts";
import { SagaRunner } from "./saga.runner.ts";
import type { Logged } from "./storage/event-store.ts";
import { openCursorStore, openLeaseStore, openSagaStore } from "./storage/open.ts";
import type { SagaStore } from "./storage/saga-store.ts";

/** A saga that begins with an event of its own room: the event is what makes sure that it runs, whoever dies. */
export interface Begun {
  readonly id: string;
  readonly saga: string;
  readonly input: object;
}

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Coordinating {
  /** Runs the saga that an event has begun and answers how it ended; undefined where that takes longer than `patience` milliseconds, or goes on elsewhere. */
  pursue(ctx: Context<unknown, Meta>, begun: Begun, patience?: number): Promise<SagaState | undefined>;
  /** Asks that the saga be undone. False where it has not begun, has ended, or cannot be stopped any more. */
  stop(begun: Begun, reason: string): Promise<boolean>;
}

interface Parts {
  runner: SagaRunner;
  store: SagaStore;
  start(): Promise<void>;
  /** Works on nothing from now on, and leaves what is under way to others. */
  handOver(): Promise<void>;
  /** Takes what another has just left. */
  seek(): Promise<void>;
  stop(): Promise<void>;
}

type Holder = Service & { coordination?: Parts; followers?: Map<string, Following> };

const PATIENCE = 5_000;
const LOOK = 2_000; // milliseconds between two looks for sagas whose owner is gone
const GRACE = 300; // milliseconds that the call which began a saga has for pursuing it, or two nodes would run it at once
const HURRIED = "sagas.hurried"; // the same, to whichever node works on it
const LEFT = "sagas.left"; // told to the other nodes of a room: not a fact, a hint that saves them the wait for the next look

const row = { id: "string", saga: "string", status: "string", owner: "string", at: "string" } as const;
const optional = { type: "string", optional: true } as const;
const detail = {
  id: "string",
  saga: "string",
  status: { type: "enum", values: ["none", "running", "undoing", "completed", "undone"] },
  owner: "string",
  version: "number",
  done: { type: "array", items: "string" },
  undone: { type: "array", items: "string" },
  cancelled: "boolean",
  reason: optional,
  code: optional,
  stuck: { type: "object", optional: true, props: { step: "string", error: "string" } },
} as const;
const id = { id: { type: "string", max: 200 } } as const;

/**
 * Lets a room coordinate others by step tables. `begins` says which of the room's own events begin a saga; the call that
 * made such an event may pursue its saga at once, and a follower of the room's log starts those that nobody pursues.
 */
export const coordinates = <E extends DomainEvent>(
  sagas: readonly Saga<never>[],
  begins: (event: E, stream: string) => Begun | undefined,
): ServiceSchema => ({
  name: "",
  metadata: { sagas: true, follows: true },
  methods: {
    async pursue(this: Holder, ctx: Context<unknown, Meta>, { id, saga, input }: Begun, patience = PATIENCE) {
      const { user, occurredAt } = ctx.meta;
      const origin = { by: user?.id, request: ctx.requestID ?? undefined, occurredAt };
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), patience);
      });
      const { runner } = this.coordination!;
      let awaited = true;
      const ending = runner.run(id, saga, input, origin).then((state) => state ?? runner.ending(id, () => awaited));
      return Promise.race([ending, late, runner.left]).finally(() => {
        awaited = false;
        clearTimeout(timer);
      });
    },
    stop(this: Holder, begun: Begun, reason: string) {
      const stopped = this.coordination!.runner.cancel(begun.id, reason);
      return stopped.then(
        () => true,
        (error) => {
          if (error instanceof Rejected) return false;
          throw error;
        },
      );
    },
  },
  actions: {
    ...followerActions,
    "sagas.list": action({
      visibility: "public",
      params: {
        status: { type: "enum", values: ["running", "undoing", "completed", "undone"] },
        after: { type: "string", default: "" },
        limit: { type: "number", integer: true, min: 1, max: 200, default: 50, convert: true },
      },
      returns: { items: { type: "array", items: { type: "object", props: row } } },
      async handler(this: Holder, ctx) {
        const { status, after, limit } = ctx.params;
        const rows = await this.coordination!.store.list(status, after!, limit!);
        return { items: rows.map((saga) => ({ ...saga, at: new Date(saga.at).toISOString() })) };
      },
    }),
    "sagas.get": action({
      visibility: "public",
      params: id,
      returns: detail,
      handler(this: Holder, ctx) {
        return show(this.coordination!.runner, ctx.params.id);
      },
    }),
    "sagas.retry": action({
      visibility: "public",
      params: id,
      returns: detail,
      async handler(this: Holder, ctx) {
        const found = await show(this.coordination!.runner, ctx.params.id);
        await this.broker.broadcast(HURRIED, { room: this.name, id: ctx.params.id });
        await this.coordination!.runner.takeOver();
        return found;
      },
    }),
    "sagas.cancel": action({
      visibility: "public",
      params: { ...id, reason: { type: "string", min: 1, max: 500 } },
      returns: detail,
      async handler(this: Holder, ctx) {
        await this.coordination!.runner.cancel(ctx.params.id, ctx.params.reason);
        return show(this.coordination!.runner, ctx.params.id);
      },
    }),
  },
  events: {
    "$node.handsOver"(this: Holder) {
      void this.coordination!.handOver();
    },
    [HURRIED]: {
      handler(this: Holder, { params: { room, id } }: Context<{ room: string; id: string }>) {
        if (room === this.name) this.coordination!.runner.hurry(id);
      },
    },
    [LEFT]: {
      handler(this: Holder, { params: { room } }: Context<{ room: string }>) {
        if (room === this.name) void this.coordination!.seek();
      },
    },
  },
  created(this: Holder) {
    this.coordination = coordination(this, sagas, begins as (event: DomainEvent, stream: string) => Begun | undefined);
  },
  async started(this: Holder) {
    await this.coordination!.start();
  },
  async stopped(this: Holder) {
    await this.coordination!.stop();
  },
});

const show = async (runner: SagaRunner, id: string) => {
  const { results, input, ...state } = await runner.state(id);
  if (state.status === "none") throw new Rejected("SAGA_NOT_FOUND", `There is no saga ${id}`, 404);
  return { ...state, id, done: [...state.done], undone: [...state.undone] };
};

const coordination = (
  service: Holder,
  sagas: readonly Saga<never>[],
  begins: (event: DomainEvent, stream: string) => Begun | undefined,
): Parts => {
  const { name, broker, logger } = service;
  const [store, cursors, leases] = [openSagaStore(name), openCursorStore(name), openLeaseStore(name)];
  const log: Log = openLog(name);
  const runner = new SagaRunner(sagas, store, leases, broker, logger);
  const alive = new Lease(leases, `node/${me}`); // says that the sagas that this process owns are in good hands
  const look = () => {
    // one process looks after the sagas of the dead, and each after its own that the store once failed
    runner.takeOver(lease.held).catch((error) => logger.warn({ event: "saga.look_failed", error: String(error) }));
  };
  const lease = new Lease(leases, "sagas", () => {
    follower.takeOver();
    look();
  });
  const follower: Follower = new Follower({
    name: "sagas",
    source: name,
    log,
    cursors,
    sink: new BeginSink(runner, begins),
    mayWork: () => lease.held,
    logger,
  });
  let timer: NodeJS.Timeout | undefined;
  let handingOver: Promise<void> | undefined;
  const letGo = async () => {
    clearInterval(timer);
    await Promise.all([follower.stop(), runner.stop()]);
    await Promise.all([alive.close(), lease.close()]);
    await broker.broadcast(LEFT, { room: name }).catch(() => {});
  };
  const handOver = () => {
    handingOver ??= letGo();
    return handingOver;
  };
  return {
    runner,
    store,
    handOver,
    async seek() {
      if (handingOver) return;
      await lease.seek();
      look();
    },
    async start() {
      await Promise.all([alive.open(), lease.open()]);
      follower.start();
      addFollower(service, "sagas", { cursors, follower, followerName: "sagas" });
      tellFigures(service, "sagas", async () => {
        const { running, stuck } = await runner.load();
        return [
          { name: "banyan.sagas.running", value: running },
          { name: "banyan.sagas.stuck", value: stuck },
        ];
      });
      timer = setInterval(look, LOOK).unref();
    },
    async stop() {
      await handOver();
      await Promise.all([log.close(), store.close(), cursors.close(), leases.close()]);
    },
  };
};

/** Sees to it that what was begun runs: starting a saga that has been started is nothing. */
class BeginSink implements Sink {
  readonly #runner: SagaRunner;
  readonly #begins: (event: DomainEvent, stream: string) => Begun | undefined;

  constructor(runner: SagaRunner, begins: (event: DomainEvent, stream: string) => Begun | undefined) {
    this.#runner = runner;
    this.#begins = begins;
  }

  take({ stream, events, by, request, occurredAt, at }: Logged): void | Promise<void> {
    const begun = events.flatMap((event) => this.#begins(event, stream) ?? []).filter(({ id }) => !this.#runner.knows(id));
    if (begun.length > 0) return this.#ensure(begun, { by, request, occurredAt }, at);
  }

  async #ensure(begun: Begun[], origin: Origin, at: number) {
    const left = Math.min(GRACE, at + GRACE - Date.now());
    if (left > 0) await delay(left);
    for (const { id, saga, input } of begun) if (!this.#runner.knows(id)) await this.#runner.ensure(id, saga, input, origin);
  }

  flush(): () => void {
    return () => {};
  }

  dropped(): void {}
}
