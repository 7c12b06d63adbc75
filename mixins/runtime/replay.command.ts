import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { ServiceBroker } from "moleculer";
import { exitFor, isMisuse, Refused } from "./refused.ts";

const USAGE = `npm run events:replay -- --room ROOM --to ROOM [--follower NAME] [--from MOMENT]

Has a room take in another one's events again, from the record, while both serve.
  --room      whose events
  --to        the room that needs them
  --follower  which of its followers, where several follow that room
  --from      from when on, 2026-01-31T12:00:00Z; all events where it is left out
What follows from an event carries the same key as before: what was done then is not done twice where the key is known.
A view is made anew from the whole record, so it takes no --from. In a cluster the room must run on some node.`;

interface Follower {
  follower: string;
  source: string;
  view: boolean;
  position: number;
  end: number;
}

interface Asked {
  room: string;
  to: string;
  follower?: string;
  since: number | undefined;
}

const LOOK = 250; // milliseconds
const SHOWN = 2_000; // milliseconds between two lines of progress
const PATIENCE = 10_000; // with a cluster whose nodes are not known yet, or which pass the work on at this moment

const typed = (): Asked => {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { room: text, to: text, follower: text, from: text, help: { type: "boolean", short: "h" } } });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const { room, to, follower, from } = values;
  if (!room || !to) throw new Refused(`--room and --to are needed\n${USAGE}`);
  const since = from === undefined ? undefined : Date.parse(from);
  if (Number.isNaN(since)) throw new Refused(`--from must be a moment like 2026-01-31T12:00:00Z, not "${from}"`);
  return { room, to, follower, since };
};

/** Looks until there is something; undefined where its time is over. */
const within = async <T>(patience: number, look: () => Promise<T | undefined> | T | undefined): Promise<T | undefined> => {
  for (const start = Date.now(); Date.now() - start < patience; await delay(LOOK)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  return undefined;
};

const listed = async (broker: ServiceBroker, to: string) => (await broker.call<{ items: Follower[] }>(`v1.${to}.followers.list`)).items;

const chosen = async (broker: ServiceBroker, { room, to, follower }: Asked): Promise<Follower> => {
  const all = await listed(broker, to);
  const fitting = all.filter((one) => one.source === room && (follower === undefined || one.follower === follower));
  const names = (list: Follower[]) =>
    list
      .map((one) => `${one.follower} (of ${one.source})`)
      .sort()
      .join(", ");
  if (fitting.length === 0) throw new Refused(`${to} has no such follower of ${room}; it has ${names(all)}`);
  if (fitting.length > 1) throw new Refused(`${to} has several followers of ${room}, say which by --follower: ${names(fitting)}`);
  return fitting[0]!;
};

/** Asks each node that runs the room until one says that it is the one which works for the follower. */
const replayed = (broker: ServiceBroker, to: string, params: { follower: string; since: number }) =>
  within(PATIENCE, async () => {
    const action = `v1.${to}.followers.replay`;
    const endpoints = (broker.registry.actions.get(action)?.endpoints ?? []) as { id: string }[];
    for (const { id: nodeID } of endpoints) {
      const told = await broker.call<{ here: boolean; commits: number; streams: number }, object>(action, params, { nodeID });
      if (told.here) return told;
    }
  });

/** Says how far it is, now and then, until it has come to `end`. */
const watched = async (broker: ServiceBroker, to: string, name: string, end: number) => {
  let shown = Date.now();
  for (;;) {
    const { position } = (await listed(broker, to)).find(({ follower }) => follower === name)!;
    if (position >= end) return;
    if (Date.now() - shown > SHOWN) {
      console.log(position < 0 ? "it goes through the record" : `it is at ${position} of ${end}`);
      shown = Date.now();
    }
    await delay(LOOK);
  }
};

const rebuilt = async (broker: ServiceBroker, to: string, view: string) => {
  const timer = setInterval(async () => {
    const { rebuilding } = await broker
      .call<{ rebuilding?: Follower }, object>(`v1.${to}.progress`, { view })
      .catch(() => ({ rebuilding: undefined }));
    if (rebuilding)
      console.log(rebuilding.position < 0 ? "it goes through the record" : `it is at ${rebuilding.position} of ${rebuilding.end}`);
  }, SHOWN);
  await broker.call(`v1.${to}.rebuild`, { view }).finally(() => clearInterval(timer));
  console.log(`${to} has made ${view} anew`);
};

const work = async (broker: ServiceBroker, asked: Asked) => {
  const { room, to, since } = asked;
  const runs = () => (broker.registry.actions.isAvailable(`v1.${to}.followers.list`) ? true : undefined);
  if (!(await within(PATIENCE, runs))) throw new Refused(`${to} follows nobody, or runs on no node`);
  const { follower, view } = await chosen(broker, asked);
  if (view && since !== undefined)
    throw new Refused(`${follower} of ${to} is a view, which is made from the whole record: leave out --from`);
  if (view) return rebuilt(broker, to, follower);
  const told = await replayed(broker, to, { follower, since: since ?? 0 });
  if (!told) throw new Refused(`No node of ${to} works for ${follower} now; try again`);
  console.log(`${told.commits} commits of ${told.streams} streams of ${room} go to ${follower} of ${to} again`);
  const { end } = (await listed(broker, to)).find((one) => one.follower === follower)!;
  await watched(broker, to, follower, end);
  console.log("all have been taken in");
};

const run = async () => {
  const asked = typed();
  const { config } = await import("./config.ts").catch((error: Error) => exitFor(new Refused(error.message)));
  const { allRooms, startNode } = await import("./node.ts");
  const rooms = allRooms();
  for (const room of [asked.room, asked.to]) {
    if (!rooms.includes(room)) throw new Refused(`There is no room ${room}; there are ${rooms.join(", ")}`);
  }
  // in a cluster it only asks; alone it is one more process on the same files, and what follows is called where it is
  const node = config.transporter
    ? await startNode({ rooms: [], others: [{ name: "replay" }], quiet: true })
    : await startNode({ rooms: rooms.filter((room) => room !== "gateway"), quiet: true });
  try {
    await work(node.broker, asked);
  } finally {
    await node.stop();
  }
};

await run().catch((error: Error & { code?: string; type?: string }) => {
  if (isMisuse(error)) exitFor(new Refused(`${error.message}\n${USAGE}`));
  exitFor(error.type ? new Refused(`${error.type}: ${error.message}`) : error);
});
