import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { fit } from "./repl.params.ts";

/** What a command works with. */
export interface Desk {
  broker: ServiceBroker;
  /** Shows one thing: coloured to a person, as a line of JSON to a script. */
  print(value: unknown): void;
  /** Ends what goes on by itself, such as `follow`. */
  signal: AbortSignal;
}

export interface ReplCommand {
  /** Its name and operands, as commander writes them: `<must be there>`, `[may be there]`. */
  usage: string;
  description: string;
  options?: { option: string; description: string }[];
  run(desk: Desk, operands: string[], options: Record<string, unknown>): Promise<void>;
}

interface Page {
  items: unknown[];
  next?: string | number | null;
}

const LOOK = 100; // milliseconds between two looks for what is new

/** What Moleculer's REPL does not have, since it knows nothing of streams, sagas and dead letters. */
export const ownCommands: ReplCommand[] = [
  {
    usage: "history <room> <id>",
    description: "Show what happened to one deal, stock item, …: its commits from the first to the last",
    async run({ broker, print }, [room, id]) {
      await eachPage(broker, `v1.${room}.history`, { id }, print);
    },
  },
  {
    usage: "follow <room> <id>",
    description: "Show a stream's commits, and those that come from now on (Ctrl+C or unfollow ends it)",
    options: [{ option: "--count <n>", description: "End after n commits" }],
    async run({ broker, print, signal }, [room, id], { count = Number.POSITIVE_INFINITY }) {
      let left = Number(count);
      for (let after = 0; left > 0 && !signal.aborted; ) {
        const items = await newer(broker, room!, id!, after, Math.min(left, 200));
        for (const item of items) print(item);
        left -= items.length;
        after = items.at(-1)?.version ?? after;
        if (items.length === 0) await delay(LOOK, undefined, { signal }).catch(() => {});
      }
    },
  },
  {
    usage: "saga <id>",
    description: "Show a saga: its steps, what each came to, who works on it",
    async run({ broker, print }, [id]) {
      print(await broker.call("v1.sagas.get", { id }));
    },
  },
  {
    usage: "sagas [status]",
    description: "List sagas: those still running, or undoing, completed, undone",
    async run({ broker, print }, [status]) {
      await eachPage(broker, "v1.sagas.list", status ? { status } : {}, print);
    },
  },
  {
    usage: "deadletters",
    description: "List events that a follower gave up on; each holds back its stream for that follower",
    async run({ broker, print }) {
      await eachPage(broker, "v1.events.deadLetters.list", {}, print);
    },
  },
  {
    usage: "replay <room> <follower> <source> <stream>",
    description: "Give a dead letter to its follower again, and then what waits behind it",
    async run({ broker, print }, [room, follower, source, stream]) {
      print(await broker.call("v1.events.deadLetters.replay", { room, follower, source, stream }));
    },
  },
  {
    usage: "discard <room> <follower> <source> <stream>",
    description: "Skip a dead letter for good, and go on with what waits behind it",
    async run({ broker, print }, [room, follower, source, stream]) {
      print(await broker.call("v1.events.deadLetters.discard", { room, follower, source, stream }));
    },
  },
];

/** Moleculer's REPL has these for a person; a script gets plain JSON from ours. */
export const scriptCommands: ReplCommand[] = [
  {
    usage: "call <action> [json]",
    description: "Call an action: call v1.deals.get --id 536365, or with JSON; --#name sets meta",
    async run({ broker, print }, [action, json], options) {
      const [params, meta]: Record<string, unknown>[] = [json ? JSON.parse(json) : {}, {}];
      for (const [name, value] of Object.entries(options)) {
        if (name.startsWith("#")) meta![name.slice(1)] = value;
        else params![name] = value;
      }
      print(await broker.call(action!, fit(broker, action!, params!), { meta }));
    },
  },
  {
    usage: "actions",
    description: "List the actions that can be called",
    async run({ broker, print }) {
      for (const { name } of (await broker.call("$node.actions", { skipInternal: true })) as { name: string }[]) print(name);
    },
  },
];

/** The next commits of a stream; none also where the stream has not begun yet. */
const newer = async (broker: ServiceBroker, room: string, id: string, after: number, limit: number): Promise<{ version: number }[]> => {
  try {
    return ((await broker.call(`v1.${room}.history`, { id, after, limit })) as { items: { version: number }[] }).items;
  } catch (error) {
    if ((error as { type?: string }).type === "HISTORY_NOT_FOUND") return [];
    throw error;
  }
};

const eachPage = async (broker: ServiceBroker, action: string, params: object, print: Desk["print"]) => {
  for (let after: Page["next"]; ; ) {
    const { items, next } = (await broker.call(action, { ...params, ...(after ? { after } : {}) })) as Page;
    for (const item of items) print(item);
    if (!next) return;
    after = next;
  }
};
