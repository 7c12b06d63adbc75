import { setTimeout as delay } from "node:timers/promises";
import type { Service, ServiceBroker } from "moleculer";
import { sagaModel } from "../../mixins/core/saga.ts";
import { allRooms, startNode } from "../../mixins/runtime/node.ts";
import { type EventStore, type Logged, readWhole } from "../../mixins/storage/event-store.ts";
import { openEventStore, openSagaStore } from "../../mixins/storage/open.ts";
import type { Outbox } from "../../mixins/storage/outbox.ts";
import { actingAs, OPERATOR } from "../../mixins/trust/operator.ts";
import type { View } from "../../mixins/view.ts";
import type { Figures, Inspected } from "./record.ts";

/**
 * The last restart: a node without a door goes on with what the dead ones left, and tells all that there is once nothing moves.
 * In a cluster it is one more node: the others are still there.
 */
const PATIENCE = 60_000;
const REBUILDING = 20_000;
const BYS = ["month", "country", "customer", "product"] as const;

const node = await startNode({ rooms: allRooms().filter((room) => room !== "gateway") });
const [broker, stop] = [actingAs(OPERATOR, node.broker), node.stop];
const stores = { deals: openEventStore("deals"), inventory: openEventStore("inventory") };
const sagas = openSagaStore("deals");

interface Following {
  follower: { progress(): Promise<{ position: number; end: number }> };
  cursors: { parked(name: string): Promise<unknown[]> };
  followerName: string;
}
const services = (
  broker as ServiceBroker & { services: (Service & { followers?: Map<string, Following>; views?: Map<string, View<object>> })[] }
).services;

const moving = async (): Promise<string[]> => {
  const found: string[] = [];
  for (const status of ["running", "undoing"]) {
    for (const { id, owner } of await sagas.list(status, "", 5)) found.push(`saga ${id} is ${status}, in the hands of ${owner}`);
  }
  for (const { name, followers } of services) {
    for (const { follower, cursors, followerName } of followers?.values() ?? []) {
      const { position, end } = await follower.progress();
      if (position < end) found.push(`${name}: ${followerName} has come to ${position} of ${end}`);
      for (const parked of await cursors.parked(followerName)) found.push(`${name}: ${followerName} parked ${JSON.stringify(parked)}`);
    }
  }
  for (const [room, store] of Object.entries(stores)) {
    const [first] = "unpublished" in store ? await (store as unknown as Outbox).unpublished(Number.MAX_SAFE_INTEGER, 1) : [];
    if (first) found.push(`${room}: ${first.stream}@${first.version} has not been published`);
  }
  return found;
};

const settle = async () => {
  const start = Date.now();
  for (let quiet = 0; ; ) {
    const still = await moving();
    if (Date.now() - start > PATIENCE) return still;
    quiet = still.length === 0 ? quiet + 1 : 0;
    if (quiet === 3) return []; // what one look does not see moving, the next does: a saga begins where a follower has been
    await delay(40);
  }
};

const listed = async () => {
  const items: Record<string, unknown>[] = [];
  for (let after: string | undefined; ; ) {
    const page = await broker.call<{ items: Record<string, unknown>[]; next?: string }, object>("v1.deals.list", { limit: 200, after });
    items.push(...page.items);
    if (!page.next) return items;
    after = page.next;
  }
};

/** What never comes to be seen is told, and what is there without it. */
const revenue = async (by: string, seen?: string): Promise<Figures[]> => {
  const items: Figures[] = [];
  for (let after: string | undefined; ; ) {
    const asked = { by, limit: 1_000, seen, after };
    const page = await broker.call<{ items: Figures[]; next?: string }, object>("v1.analytics.revenue", asked).catch((error) => {
      if (error.type !== "VIEW_BEHIND") throw error;
      unsettled.push(`analytics: ${error.message}`);
      return undefined;
    });
    if (!page) return revenue(by);
    items.push(...page.items);
    if (!page.next) return items;
    after = page.next;
  }
};

const sagaStates = async () => {
  const found: Inspected["sagas"] = [];
  for (const status of ["running", "undoing", "completed", "undone"]) {
    for (let after = "", rows = await sagas.list(status, after, 500); rows.length > 0; rows = await sagas.list(status, after, 500)) {
      after = rows.at(-1)!.id;
      for (const { id } of rows) {
        const commits = await sagas.read(id); // as its record says, whatever its row does
        const { saga, status } = commits.flatMap(({ events }) => events).reduce(sagaModel.evolve, sagaModel.initial);
        found.push({ id, saga, status });
      }
    }
  }
  return found;
};

const recordOf = async (store: EventStore): Promise<Logged[]> => {
  const all: Logged[] = [];
  for (let after = ""; ; ) {
    const { commits, next } = await store.record(after, 10_000);
    all.push(...commits);
    if (next === after) return all;
    after = next;
  }
};

const tornIn = async (store: EventStore, log: readonly Logged[]) => {
  const found: string[] = [];
  for (const [stream, commits] of Map.groupBy(log, ({ stream }) => stream)) {
    const [one, other] = [commits, await readWhole(store, stream)].map((all) => all.map(({ id }) => id).join());
    if (one !== other) found.push(`${stream} read by itself is ${other}, in the log ${one}`);
  }
  return found;
};

/** One that runs already, because somebody asked for it a moment ago, is given its time; one that never ends is told. */
const rebuild = async (room: string, view: string) => {
  for (const start = Date.now(); ; await delay(500)) {
    const failed = await broker.call(`v1.${room}.rebuild`, { view }).then(
      () => undefined,
      (error: { type?: string; nodeID?: string }) => error,
    );
    if (!failed) return;
    if (Date.now() - start < REBUILDING) continue;
    unsettled.push(`${room}/${view} cannot be rebuilt: ${failed.type} of ${failed.nodeID}`);
    return;
  }
};

const unsettled = await settle();
const [deals, stock] = [await recordOf(stores.deals), await recordOf(stores.inventory)];
const seen = deals.length > 0 ? `${deals.at(-1)!.stream}@${deals.at(-1)!.version}` : undefined;
const figures: Partial<Inspected["revenue"]> = {};
for (const by of BYS) figures[by] = await revenue(by, seen);
const list = await listed();
const views: Inspected["views"] = [];
for (const { name, views: own } of services) {
  for (const [view, held] of own ?? []) {
    const live = await held.dump();
    await rebuild(name, view);
    views.push({ view: `${name}/${view}`, live, rebuilt: await held.dump() });
  }
}
const torn = [...(await tornIn(stores.deals, deals)), ...(await tornIn(stores.inventory, stock))];
const inspected = { unsettled, torn, deals, stock, sagas: await sagaStates(), list, revenue: figures, views } as Inspected;
await new Promise((sent) => process.send!(inspected, sent));
await Promise.all([...Object.values(stores), sagas].map((store) => store.close()));
await stop();
process.exit(0);
