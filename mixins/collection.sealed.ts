import { randomUUIDv7 } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Service, ServiceSchema } from "moleculer";
import { keyOf } from "./actor.key.ts";
import type { Call, Collection, CollectionOptions } from "./collection.mixin.ts";
import { faultOf, Sealing } from "./collection.sealing.ts";
import type { Stored } from "./storage/collection-store.ts";
import { type Shown, shown } from "./storage/document-log.ts";
import { openSchemaStore } from "./storage/open.ts";
import { blindIndex } from "./trust/sealed.ts";
import { Vault } from "./trust/vault.ts";

const CALL = 3_000; // milliseconds that the vault may take
const AGAIN = 1_000; // milliseconds until sealing what is there is tried again
const PAGE = 200;
const SAYS = "what the room seals and stood there open is sealed";

type SealedCollection = Service &
  Collection & { sealing: Sealing; stopping?: AbortController; eraseNow(ctx: Call, before: Stored, change: object): Shown };

/** What a room with sealed fields has beside the others: its keys, and that everything which is written goes by them. */
export const sealedRoom = (options: CollectionOptions): Partial<ServiceSchema> => {
  const { sealed = [], exact = {}, name, entity } = options;
  const fault = faultOf({ sealed, exact }, [...options.sorts, options.folded ?? ""], options.filters ?? []);
  if (fault) throw new Error(`${name}: ${fault}`);
  return {
    created(this: SealedCollection) {
      const vault = new Vault(name, (action, params) => this.broker.call(action, params, { timeout: CALL }));
      this.sealing = new Sealing(name, { sealed, exact }, vault);
    },
    started(this: SealedCollection) {
      this.stopping = new AbortController();
      void sealAll(this, entity, this.stopping.signal);
      void forgetAll(this, this.stopping.signal);
    },
    stopped(this: SealedCollection) {
      this.stopping?.abort(); // a pass that is under way ends with the next page
      this.sealing.vault.stop();
    },
    methods: {
      async once<T>(
        this: SealedCollection,
        ctx: Call,
        work: () => T,
        { ids = [], fresh = 0 }: { ids?: string[]; fresh?: number } = {},
      ): Promise<T> {
        const { documents } = this.adapter;
        if (documents.stamps) await this.sealing.expect(ids.map((id) => documents.get(id)));
        const key = keyOf(ctx);
        // what was asked for is kept as a digest, by which whoever guesses a tax id could find out that he is right
        const digest =
          key?.digest && asksSealed(ctx.params, sealed) ? blindIndex(await this.sealing.vault.learnIndex(), "", key.digest) : key?.digest;
        return this.sealing.write(work, fresh, (complete) => documents.write(complete, key && { ...key, digest }));
      },
      open<T extends object>(this: SealedCollection, answers: readonly T[]) {
        return this.sealing.shown(answers);
      },
      async forget(this: SealedCollection, id: string): Promise<void> {
        const { documents } = this.adapter;
        await this.sealing.vault.destroy(await documents.consult(() => this.sealing.keysOf(documents.look(id)?.document ?? {})));
      },
      async erase(this: SealedCollection, ctx: Call, id: string, change: object) {
        const { documents } = this.adapter;
        const found = await documents.consult(() => this.demand(id, ctx.meta.ifVersion));
        for (let document = found; ; document = await documents.consult(() => this.demand(id))) {
          const keys = this.sealing.keysOf(document);
          await this.sealing.vault.destroy(keys);
          const erased = await documents.write(() => {
            const before = this.demand(id);
            if (this.sealing.keysOf(before).some((key) => !keys.includes(key))) return undefined; // it was changed meanwhile
            return before.erasedAt && !this.sealing.lacksSeal(before) ? shown(before) : this.eraseNow(ctx, before, change);
          });
          if (erased) return (await this.open([erased]))[0];
        }
      },
    },
  } as unknown as Partial<ServiceSchema>;
};

/** Seals what was stored before the room sealed it: once, beside all else. What is changed meanwhile is sealed by that. */
const sealAll = async (room: SealedCollection, entity: string, signal: AbortSignal): Promise<void> => {
  const store = openSchemaStore(room.name);
  try {
    if ((await store.ran()).some(({ number }) => number === 0)) return;
    for (let after = ""; ; ) {
      const next = await sealPage(room, entity, after).catch((error) => {
        room.logger.warn({ event: "sealing.waits", error: String(error) }, "what was stored before it was sealed is sealed later");
        return delay(AGAIN, undefined, { signal });
      });
      if (signal.aborted) return;
      if (next === after) return await store.note({ number: 0, kind: "expand", says: SAYS, since: 0, at: Date.now() });
      after = next ?? after;
    }
  } catch (error) {
    if (!signal.aborted) room.logger.warn({ event: "sealing.failed", error: String(error) }, "it goes on with the next start");
  } finally {
    await store.close();
  }
};

const sealPage = async (room: SealedCollection, entity: string, after: string): Promise<string> => {
  const { documents } = room.adapter;
  const { commits, next } = await documents.record(after, PAGE);
  const open = commits.filter(({ events: [event] }) => event?.document && room.sealing.lacksSeal(event.document));
  for (const { stream: id } of open) {
    const seal = () => {
      const found = documents.look(id);
      if (!found || found.removed || !room.sealing.lacksSeal(found.document)) return;
      const now = Date.now();
      const change = { id: randomUUIDv7(), type: `${entity}Saved`, cause: "schema", at: now, occurredAt: now };
      documents.put(room.sealing.seal(found.document, found.document), change);
    };
    await room.sealing.write(seal, 1, (complete) => documents.write(complete));
  }
  return next;
};

/** A removal stands before its key is destroyed: what dies between the two, or finds the vault away, leaves a key that this one destroys. */
const forgetAll = async ({ adapter, sealing }: SealedCollection, signal: AbortSignal): Promise<void> => {
  const { vault } = sealing;
  const forgetPage = async (after: string): Promise<string> => {
    const page = await adapter.documents.removed(after, PAGE);
    const keys = page.flatMap((tombstone) => sealing.keysOf(tombstone));
    if (keys.length > 0) await vault.learn(keys);
    await vault.destroy(keys.filter((key) => vault.known(key) !== null)); // most are gone: to find that out costs less
    return page.at(-1)?._id ?? after;
  };
  for (let after = ""; !signal.aborted; ) {
    const next = await forgetPage(after).catch(() => delay(AGAIN, undefined, { signal }).catch(() => {})); // the vault is away
    if (next === after) return;
    after = next ?? after;
  }
};

const asksSealed = (params: Record<string, unknown>, sealed: readonly string[]): boolean =>
  [params, ...((params.items as Record<string, unknown>[] | undefined) ?? [])].some((one) =>
    sealed.some((name) => one[name] !== undefined),
  );
