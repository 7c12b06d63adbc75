import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { type Log, openLog } from "./bus/log.ts";
import type { Meta } from "./core/context.ts";
import type { DomainEvent } from "./core/model.ts";
import type { Following } from "./dead-letters.actions.ts";
import { addFollower, followerActions } from "./follower.actions.ts";
import { Follower, type Sink } from "./follower.ts";
import { Lease } from "./runtime/lease.ts";
import type { CursorStore } from "./storage/cursor-store.ts";
import type { Logged } from "./storage/event-store.ts";
import type { LeaseStore } from "./storage/lease-store.ts";
import { openCursorStore, openLeaseStore } from "./storage/open.ts";

/** A call that follows from an event. Its key is made from the event's id, so that making it again has no second effect. */
export interface Effect {
  readonly action: string;
  readonly params: object;
}

/** Answers what follows from an event. It does nothing itself: what it returns is done for it, again and again until it is done. */
export type Handler<E extends DomainEvent = DomainEvent> = (event: E, commit: Logged) => readonly Effect[];

/** `{ "deals.DealConfirmed": (event, commit) => [{ action, params }] }` */
export type Subscriptions = Readonly<Record<string, Handler<never>>>;

type Holder = Service & { followers?: Map<string, Following>; subscribers?: Subscriber[] };

interface Subscriber extends Following {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Lets a service act on what other rooms (or itself) committed: durably, in order per stream, by one member of the
 * service at a time. See `Follower` for what happens when a handler or a call fails.
 */
export const subscriber = (subscriptions: Subscriptions, { maxAttempts }: { maxAttempts?: number } = {}): ServiceSchema => {
  const sources = Map.groupBy(Object.entries(subscriptions), ([name]) => name.slice(0, name.indexOf(".")));
  return {
    name: "",
    metadata: { follows: true },
    actions: followerActions,
    async started(this: Holder) {
      this.subscribers = [...sources].map(([source, entries]) => {
        const handlers = new Map(entries.map(([name, handler]) => [name.slice(source.length + 1), handler as Handler]));
        return subscribe(this, source, handlers, maxAttempts);
      });
      for (const subscriber of this.subscribers) {
        addFollower(this, subscriber.followerName, subscriber);
        await subscriber.start();
      }
    },
    async stopped(this: Holder) {
      await Promise.all((this.subscribers ?? []).map((subscriber) => subscriber.stop()));
    },
  };
};

const subscribe = (service: Service, source: string, handlers: Map<string, Handler>, maxAttempts?: number): Subscriber => {
  const log: Log = openLog(source);
  const cursors: CursorStore = openCursorStore(service.name);
  const leases: LeaseStore = openLeaseStore(service.name);
  const followerName = `subscriber/${source}`;
  const lease = new Lease(leases, followerName, () => follower.takeOver());
  const follower: Follower = new Follower({
    name: followerName,
    source,
    log,
    cursors,
    sink: new CallSink(service.broker, source, handlers),
    mayWork: () => lease.held,
    logger: service.logger,
    maxAttempts,
  });
  return {
    cursors,
    follower,
    followerName,
    async start() {
      follower.start();
      await lease.open();
    },
    async stop() {
      await follower.stop();
      await lease.close();
      await Promise.all([log.close(), cursors.close(), leases.close()]);
    },
  };
};

/** Makes the calls that follow from a commit, one after another, before its place in the log is passed. */
class CallSink implements Sink {
  readonly #broker: ServiceBroker;
  readonly #source: string;
  readonly #handlers: Map<string, Handler>;

  constructor(broker: ServiceBroker, source: string, handlers: Map<string, Handler>) {
    this.#broker = broker;
    this.#source = source;
    this.#handlers = handlers;
  }

  take(commit: Logged): void | Promise<void> {
    const calls = commit.events.flatMap((event, i) =>
      (this.#handlers.get(event.type)?.(event, commit) ?? []).map((effect, j) => ({ effect, key: `${commit.id}.${i}.${j}` })),
    );
    if (calls.length > 0) return this.#make(calls, commit);
  }

  async #make(calls: { effect: Effect; key: string }[], { stream, version, by, request, occurredAt }: Logged) {
    const cause = `${this.#source}/${stream}@${version}`;
    for (const { effect, key } of calls) {
      const meta: Meta = { idempotencyKey: key, ownKey: true, cause, occurredAt, ...(by && { user: { id: by, roles: [] } }) };
      await this.#broker.call(effect.action, effect.params, { meta, ...(request && { requestID: request }) });
    }
  }

  flush(): () => void {
    return () => {};
  }

  dropped(): void {}
}
