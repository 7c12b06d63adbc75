import type { ServiceSchema } from "moleculer";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { openKeyStore } from "../../mixins/storage/open.ts";
import { runs } from "../../mixins/trust/node-calls.ts";
import { KeyVault } from "./auth.key-vault.ts";

const EVERY = 60_000; // milliseconds between two looks whether a rotation was broken off

interface Holder {
  vault: KeyVault;
  broker: { nodeID: string };
  logger: { warn(line: object, text: string): void };
  rewrapping?: NodeJS.Timeout;
  /** What else the master key wraps in this room, to be wrapped anew or, with `look`, only counted. */
  rewrapSecrets?(look: boolean): Promise<number>;
}

const room = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" } as const;
const ids = { type: "array", items: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" }, max: 1_000 } as const;
const keys = { type: "array", items: { type: "object", props: { id: "string", key: "string" } } } as const;
const wrappings = {
  /** Of the latest, and of those before it that are still needed: how many bundles of keys each one wraps. */
  keys: { type: "array", items: { type: "object", props: { id: "string", made: "string", wraps: "number|integer" } } },
  /** Whether all is wrapped by the latest of them, and nothing by the master key before this one. */
  settled: "boolean",
} as const;

/** The keys of all rooms' sealed fields. Rooms ask for them by actions that lead nowhere from outside. */
export const vault = {
  name: "",
  actions: {
    newDataKeys: action({
      description: "New keys for documents of a room",
      visibility: "public",
      params: { room, count: { type: "number", integer: true, min: 1, max: 1_000 } },
      returns: { keys },
      async handler(this: Holder, ctx) {
        requireRoom(this, ctx);
        return { keys: await this.vault.make(ctx.params.room, ctx.params.count) };
      },
    }),
    dataKeys: action({
      description: "Keys of a room's documents; one that is missing is no more",
      visibility: "public",
      params: { room, ids },
      returns: { keys },
      async handler(this: Holder, ctx) {
        requireRoom(this, ctx);
        return { keys: await this.vault.read(ctx.params.room, ctx.params.ids) };
      },
    }),
    indexKey: action({
      description: "What a room's sealed fields are found by",
      visibility: "public",
      params: { room },
      returns: { key: "string" },
      async handler(this: Holder, ctx) {
        requireRoom(this, ctx);
        return { key: await this.vault.indexKey(ctx.params.room) };
      },
    }),
    destroyDataKeys: action({
      description: "Destroys keys of a room's documents for good: nothing opens what they sealed any more",
      visibility: "public",
      params: { room, ids },
      returns: {},
      async handler(this: Holder, ctx) {
        requireRoom(this, ctx);
        await this.vault.destroy(ctx.params.room, ctx.params.ids);
        return {};
      },
    }),
    destroyedDataKeys: action({
      description: "Which keys were destroyed since a moment",
      visibility: "public",
      params: { since: { type: "number", optional: true } },
      returns: { ids: "string[]", all: "boolean", next: "number" },
      async handler(this: Holder, ctx) {
        return this.vault.destroyedSince(ctx.params.since ?? Date.now());
      },
    }),
    encryptionKeys: action({
      description: "The keys that wrap the keys of sealed fields, and how many each one wraps",
      rest: "GET /encryption-keys",
      visibility: "published",
      permission: "auth.manage",
      params: {},
      returns: wrappings,
      handler(this: Holder) {
        return told(this);
      },
    }),
    rotateEncryptionKeys: action({
      description: "Makes a new key that wraps the keys of sealed fields; these are wrapped anew behind the answer",
      rest: "POST /encryption-keys/rotate",
      visibility: "published",
      permission: "auth.manage",
      params: {},
      returns: wrappings,
      async handler(this: Holder) {
        await this.vault.rotate();
        void rewrap(this);
        return told(this);
      },
    }),
  },
  created(this: Holder) {
    this.vault = new KeyVault(openKeyStore);
  },
  started(this: Holder) {
    this.rewrapping = setInterval(() => rewrap(this), EVERY).unref();
  },
  async stopped(this: Holder) {
    clearInterval(this.rewrapping);
    await this.vault.close();
  },
} as unknown as ServiceSchema;

/** A node has keys of the rooms that it runs, and of no other. */
const requireRoom = ({ broker }: Holder, { nodeID, params }: { nodeID: string | null; params: { room: string } }): void => {
  if (nodeID === null || nodeID === broker.nodeID || runs(nodeID, params.room)) return;
  throw new Rejected("NODE_NOT_ALLOWED", `Your node does not run ${params.room}, and has none of its keys`, 403);
};

const told = async (room: Holder) => {
  const keys = await room.vault.wrappings();
  const settled = keys.slice(0, -1).every(({ wraps }) => wraps === 0) && (await room.vault.outdated()).length === 0;
  return { keys, settled: settled && ((await room.rewrapSecrets?.(true)) ?? 0) === 0 };
};

/** Goes on with whatever is not wrapped as it should be, also what another process has left half done. */
const rewrap = async (room: Holder): Promise<void> => {
  try {
    while ((await room.vault.step()) > 0);
    await room.rewrapSecrets?.(false);
  } catch (error) {
    room.logger.warn({ event: "keys.rewrapping", error: String(error) }, "goes on within a minute");
  }
};
