import { config } from "../../mixins/runtime/config.ts";
import type { EventStore } from "../../mixins/storage/event-store.ts";

/** Ways in which a driver could be wrong; the harness must find each. */
export type Break = "early-ack" | "double-count" | "stale-read" | "forgetful" | "delivered-twice" | "never-sent";

const LATE = 200; // milliseconds from the word that it is stored to the store

export const breakDriver = async (how: Break): Promise<void> => {
  if (how === "double-count") return countTwice();
  if (how === "delivered-twice") return deliverTwice();
  if (how === "never-sent") return neverSend();
  const store = await eventStore();
  const { append, read } = store;
  if (how === "early-ack") {
    // says that it has what it is about to write
    store.append = async function (...commit) {
      setTimeout(() => void append.apply(this, commit).catch(() => {}), LATE);
    };
  }
  if (how === "forgetful") {
    // has every commit, and no longer under which key it came
    store.recall = async () => undefined;
    store.read = async function (...which) {
      const page = await read.apply(this, which);
      return Object.assign(
        page.map(({ once, ...commit }) => commit),
        page.more && { more: page.more },
      ) as never;
    };
  }
  if (how === "stale-read") {
    // answers from what it has in memory: what others stored since is looked for once in three times
    let looks = 0;
    store.read = async function (...which) {
      const [, version = 0] = which;
      return version > 0 && ++looks % 3 !== 0 ? [] : (read.apply(this, which) as never);
    };
  }
};

/** What all event stores of this process are made after. */
const eventStore = async (): Promise<EventStore> =>
  config.mongoUrl
    ? (await import("../../mixins/storage/mongo.event-store.ts")).MongoEventStore.prototype
    : (await import("../../mixins/storage/sqlite.event-store.ts")).SqliteEventStore.prototype;

/** Adds to what is there, so that a repeat, or a rebuild, counts what the first time has counted. */
const countTwice = async () => {
  const { contributions } = await import("../../services/analytics/analytics.views.ts");
  const { DealConfirmed } = contributions.on;
  Object.assign(contributions.on, {
    DealConfirmed: (deal: never, ...rest: Parameters<NonNullable<typeof DealConfirmed>> extends [unknown, ...infer R] ? R : never) => {
      const made = DealConfirmed!(deal, ...rest)!;
      const { sold } = made;
      return sold && { ...made, sold: { ...sold, shares: [...sold.shares, ...sold.shares] } };
    },
  });
};

/** Brings every event of a deal twice, and what it is known by, its version, is lost on the second. */
const deliverTwice = async () => {
  const { ViewSink } = await import("../../mixins/view.sink.ts");
  const { take } = ViewSink.prototype;
  ViewSink.prototype.take = function (commit) {
    take.call(this, commit);
    take.call(this, { ...commit, version: commit.version + 0.5 });
  };
};

/** Marks what was committed as published, and publishes one in ten commits never. */
const neverSend = async () => {
  const { JetStreamHost } = await import("../../mixins/bus/jetstream.host.ts");
  const { js } = JetStreamHost.prototype;
  let sent = 0;
  JetStreamHost.prototype.js = async function () {
    const client = await js.call(this);
    const { publish } = client;
    client.publish = (...message) =>
      ++sent % 10 === 0 ? (Promise.resolve({ seq: 0, duplicate: true }) as never) : publish.apply(client, message);
    return client;
  };
};
