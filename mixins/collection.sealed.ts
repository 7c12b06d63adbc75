import { randomUUIDv7 } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Service, ServiceSchema } from "moleculer";
import { keyOf } from "./actor.key.ts";
import { type Call, type Collection, type CollectionOptions, callerOf } from "./collection.mixin.ts";
import { faultOf, Sealing } from "./collection.sealing.ts";
import type { Stored } from "./storage/collection-store.ts";
import { type Shown, shown, withSalt } from "./storage/document-log.ts";
import { openSchemaStore } from "./storage/open.ts";
import { blindIndex } from "./trust/sealed.ts";
import { Vault } from "./trust/vault.ts";

const CALL = 3_000; // milliseconds that the vault may take
const AGAIN = 1_000; // milliseconds until sealing what is there is tried again
const PAGE = 200;
const SAYS = "what stood there open is sealed, or has a salt for its digest";

type SealedCollection = Service &
  Collection & { sealing: Sealing; stopping?: AbortController; eraseNow(ctx: Call, before: Stored, change: object): Shown };

/** What a room with sealed fields has beside the others: its keys, and that everything which is written goes by them. */
export const sealedRoom = (options: CollectionOptions): Partial<ServiceSchema> => {
  const { sealed = [], exact = {}, name } = options;
  const fault = faultOf({ sealed, exact }, [...options.sorts, options.folded ?? ""], options.filters ?? []);
  if (fault) throw new Error(`${name}: ${fault}`);
  return {
    created(this: SealedCollection) {
      const vault = new Vault(name, (action, params) => this.broker.call(action, params, { timeout: CALL }));
      this.sealing = new Sealing(name, { sealed, exact }, vault);
    },
    started(this: SealedCollection) {
      this.stopping = new AbortController();
      void sealAll(this, options, this.stopping.signal);
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
        options.guard?.(callerOf(ctx), found, undefined);
        await options.consider?.(this, [{ id, ...change }]);
        for (let document = found; ; document = await documents.consult(() => this.demand(id))) {
          const keys = this.sealing.keysOf(document);
          await this.sealing.vault.destroy(keys);
          const erased = await documents.write(() => {
            const before = this.demand(id);
            if (this.sealing.keysOf(before).some((key) => !keys.includes(key))) return undefined; // it was changed meanwhile
            documents.forget(id);
            return nothingLeft(this.sealing, before, change) ? shown(before) : this.eraseNow(ctx, before, change);
          });
          if (!erased) continue;
          documents.purge?.();
          return (await this.open([erased]))[0];
        }
      },
    },
  } as unknown as Partial<ServiceSchema>;
};

/** Whether it was erased, and nobody has filled it again, nor a backup. */
const nothingLeft = (sealing: Sealing, document: Stored, change: object): boolean =>
  document.erasedAt !== undefined &&
  !sealing.lacksSeal(document) &&
  sealing.keysOf(document).length === 0 &&
  Object.entries(change).every(([name, value]) => isDeepStrictEqual(document[name] ?? null, value));

/** Seals what was stored before the room sealed it: once, beside all else. What is changed meanwhile is sealed by that. */
const sealAll = async (room: SealedCollection, options: CollectionOptions, signal: AbortSignal): Promise<void> => {
  const store = openSchemaStore(room.name);
  const says = `${SAYS}: ${[...(options.sealed ?? []), ...(options.personal ?? [])].join(", ")}`;
  try {
    if ((await store.ran()).some((step) => step.number === 0 && step.says === says)) return;
    for (let after = ""; ; ) {
      const next = await sealPage(room, options, after).catch((error) => {
        room.logger.warn({ event: "sealing.waits", error: String(error) }, "what was stored before it was sealed is sealed later");
        return delay(AGAIN, undefined, { signal });
      });
      if (signal.aborted) return;
      if (next === after) return await store.note({ number: 0, kind: "expand", says, since: 0, at: Date.now() });
      after = next ?? after;
    }
  } catch (error) {
    if (!signal.aborted) room.logger.warn({ event: "sealing.failed", error: String(error) }, "it goes on with the next start");
  } finally {
    await store.close();
  }
};

const sealPage = async (room: SealedCollection, options: CollectionOptions, after: string): Promise<string> => {
  const { documents } = room.adapter;
  const { commits, next } = await documents.record(after, PAGE);
  const open = commits.filter(({ events: [event] }) => event?.document && lacks(room.sealing, options, event.document));
  for (const { stream: id } of open) {
    const seal = () => {
      const found = documents.look(id);
      if (!found || found.removed) return;
      const { document } = found;
      if (!room.sealing.lacksSeal(document) && withSalt(options, document) === document) return;
      const now = Date.now();
      const change = { id: randomUUIDv7(), type: `${options.entity}Saved`, cause: "schema", at: now, occurredAt: now };
      documents.put(withSalt(options, room.sealing.seal(document, document)), change);
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

/** By its event, which shows a personal field that has no salt yet as it is. */
const lacks = (sealing: Sealing, { personal = [] }: CollectionOptions, told: Shown): boolean =>
  sealing.lacksSeal(told) ||
  (told.erasedAt === undefined && personal.some((name) => name in told && !(told[name] as { digest?: string }).digest));

const asksSealed = (params: Record<string, unknown>, sealed: readonly string[]): boolean =>
  [params, ...((params.items as Record<string, unknown>[] | undefined) ?? [])].some((one) =>
    sealed.some((name) => one[name] !== undefined),
  );
