import { randomBytes } from "node:crypto";
import { Unavailable } from "../../mixins/core/errors.ts";
import type { KeyRow, KeyStore, Rewrapping } from "../../mixins/storage/key-store.ts";
import { decrypt, encrypt, KEY_BYTES } from "../../mixins/trust/aes.ts";
import { LOOK_BACK } from "../../mixins/trust/clocks.ts";
import { KEK_PURPOSE as PURPOSE, rewrapped, unwrap, wrap } from "../../mixins/trust/master-key.ts";

const GRACE = 60_000; // milliseconds for which a key that another one has replaced may still wrap something, by whoever has not looked since
const SLOW = 30_000; // milliseconds after which whoever makes keys looks again what to wrap them by
const BATCH = 200;
const BUNDLE = 64; // keys
const MAX_TRIES = 50; // times that others may be first
const MOST_TOLD = 5_000;

export interface Opened {
  readonly id: string;
  readonly key: string;
}

/** What rooms hear of keys that are no more. `all`: more than can be told, so trust none that you have. */
export interface Destroyed {
  readonly ids: string[];
  readonly all: boolean;
  readonly next: number;
}

/** How far a rotation has come: of each key that wraps others, how many. */
export interface Wrapping {
  readonly id: string;
  readonly made: string;
  readonly wraps: number;
}

/** `kek~000001`: what wraps others has a number, so that of two nodes which make the next one at once both have the same. */
const kekId = (number: number) => `kek~${String(number).padStart(6, "0")}`;
/** In the order in which they were made, so that the store puts each new one behind the last. */
const newBundleId = () => Date.now().toString(36) + randomBytes(9).toString("base64url");
const bundleOf = (key: string) => key.slice(0, key.lastIndexOf("-"));
const slotOf = (key: string) => Number(key.slice(key.lastIndexOf("-") + 1));
const isWrapped = ({ wrapped }: KeyRow) => wrapped !== "";
const numberOf = (kek: string) => Number(kek.slice("kek~".length));
const placeOf = ({ id, room, kind }: Pick<KeyRow, "id" | "room" | "kind">) => `${kind}/${room}/${id}`;
const isKek = ({ kind }: KeyRow) => kind === "kek";

/**
 * Makes, opens and destroys the keys of sealed fields. The master key wraps the keys that encrypt keys, the newest of these wraps data
 * keys; so another of either is a matter of wrapping anew, and what was sealed stays as it is.
 */
export class KeyVault {
  readonly #openStore: () => KeyStore;
  readonly #grace: number;
  readonly #keks = new Map<string, Buffer>();
  #opened: KeyStore | undefined;
  #stepping: Promise<number> | undefined;

  /** The store is opened when it is needed: a system without a sealed field has none. */
  constructor(open: () => KeyStore, grace = GRACE) {
    this.#openStore = open;
    this.#grace = grace;
  }

  async close(): Promise<void> {
    await this.#stepping?.catch(() => {});
    await this.#opened?.close();
    this.#opened = undefined;
  }

  get #store(): KeyStore {
    this.#opened ??= this.#openStore();
    return this.#opened;
  }

  /** New data keys for a room's documents, which nothing is sealed by yet. Many stand in one bundle: what is written and wrapped for one costs the same. */
  async make(room: string, count: number): Promise<Opened[]> {
    const ids = Array.from({ length: Math.ceil(count / BUNDLE) }, newBundleId);
    const bundles = ids.map((id, i) => ({ id, keys: randomBytes(KEY_BYTES * Math.min(BUNDLE, count - i * BUNDLE)) }));
    await this.#add("data", room, bundles);
    return bundles.flatMap(({ id, keys }) => slotsOf(id, keys));
  }

  /** Those that there are: what is missing was destroyed, is another room's, or is lost. */
  async read(room: string, ids: readonly string[]): Promise<Opened[]> {
    const wanted = new Set(ids);
    const rows = (await this.#store.find([...new Set(ids.map(bundleOf)), ...ids])).filter(
      (row) => row.room === room && row.kind === "data",
    );
    for (const { id, destroyed } of rows) if (destroyed !== undefined) wanted.delete(id);
    const bundles = await Promise.all(rows.filter(isWrapped).map(async (row) => slotsOf(row.id, (await this.#open(row)).keys)));
    return bundles.flat().filter(({ id }) => wanted.has(id));
  }

  /** What a room's blind indexes are made by; it is made with the first question, and stays. */
  async indexKey(room: string): Promise<string> {
    const id = `index~${room}`;
    const found = await this.#store.find([id]);
    if (found.length === 0) await this.#add("index", room, [{ id, keys: randomBytes(KEY_BYTES) }]);
    const [row] = found.length > 0 ? found : await this.#store.find([id]);
    return (await this.#open(row!)).keys.toString("base64");
  }

  /** First their names are noted, from which on nobody is given them any more, then they are taken out of what is wrapped. */
  async destroy(room: string, ids: readonly string[]): Promise<void> {
    const bundles = Map.groupBy(ids, bundleOf);
    const others = new Set((await this.#store.find([...bundles.keys()])).filter((row) => row.room !== room).map(({ id }) => id));
    const own = ids.filter((id) => !others.has(bundleOf(id)));
    const destroyed = Date.now();
    await this.#store.add(own.map((id) => ({ id, kind: "data", room, by: "", wrapped: "", at: destroyed, destroyed })));
    for (const [bundle, keys] of bundles) if (!others.has(bundle)) await this.#wipe(bundle, keys);
  }

  async #wipe(bundle: string, ids: readonly string[]): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const [row] = await this.#store.find([bundle]);
      if (!row) return;
      const { keys, by } = await this.#open(row);
      if (!slotsOf(bundle, keys).some(({ id }) => ids.includes(id))) return;
      for (const id of ids) keys.fill(0, slotOf(id) * KEY_BYTES, (slotOf(id) + 1) * KEY_BYTES);
      await this.#store.rewrap([{ id: bundle, from: row.wrapped, ...this.#wrapped(row, keys, by) }]);
    }
    throw new Unavailable("VAULT_UNAVAILABLE", "Others were faster with the keys beside this one each time: repeat it");
  }

  async destroyedSince(since: number): Promise<Destroyed> {
    const next = Date.now();
    const rows = await this.#store.destroyedSince(since - LOOK_BACK, MOST_TOLD);
    return { ids: rows.map(({ id }) => id), all: rows.length === MOST_TOLD, next };
  }

  /** Another key to wrap by; all that others wrap is to be wrapped anew (`step`). Throws where this process cannot open today's: its master key is not the others'. */
  async rotate(): Promise<void> {
    const current = await this.#current();
    this.#kekOf(current);
    await this.#store.add([newKek(numberOf(current.id) + 1)]);
  }

  async wrappings(): Promise<Wrapping[]> {
    const keks = await this.#store.ofKind("kek");
    return Promise.all(keks.map(async ({ id, at }) => ({ id, made: new Date(at).toISOString(), wraps: await this.#store.count(id) })));
  }

  /**
   * Wraps the next few anew that are not as they should be, and answers how many those were. It may be done by several at once, broken off and
   * begun again: each key is replaced only where it is still wrapped as it was.
   */
  step(): Promise<number> {
    this.#stepping ??= this.#step().finally(() => {
      this.#stepping = undefined;
    });
    return this.#stepping;
  }

  /** Those that wrap others and are themselves wrapped by the master key before this one. */
  async outdated(keks?: readonly KeyRow[]): Promise<Rewrapping[]> {
    return (keks ?? (await this.#store.ofKind("kek"))).flatMap(({ id, wrapped }) => {
      const again = rewrapped(PURPOSE, wrapped);
      return again ? [{ id, from: wrapped, wrapped: again, by: "" }] : [];
    });
  }

  async #step(): Promise<number> {
    const keks = await this.#store.ofKind("kek");
    const newest = keks.at(-1);
    if (!newest) return 0;
    const outdated = await this.outdated(keks);
    if (outdated.length > 0) await this.#store.rewrap(outdated);
    for (const { id } of keks.slice(0, -1)) {
      const rows = await this.#store.under(id, BATCH);
      if (rows.length > 0) {
        await this.#store.rewrap(await this.#anew(rows, newest));
        return rows.length;
      }
      if (Date.now() - newest.at > this.#grace) await this.#store.remove(id);
    }
    return outdated.length;
  }

  async #anew(rows: readonly KeyRow[], newest: KeyRow): Promise<Rewrapping[]> {
    this.#kekOf(newest);
    return Promise.all(
      rows.map(async (row) => ({ id: row.id, from: row.wrapped, ...this.#wrapped(row, (await this.#open(row)).keys, newest.id) })),
    );
  }

  #wrapped(row: Pick<KeyRow, "id" | "room" | "kind">, keys: Buffer, by: string) {
    return { by, wrapped: encrypt(this.#keks.get(by)!, placeOf(row), keys.toString("base64")) };
  }

  /** What took too long to be stored may be wrapped by a key that is gone: nobody is given these. */
  async #add(kind: "data" | "index", room: string, bundles: readonly { id: string; keys: Buffer }[]): Promise<void> {
    const began = performance.now();
    const kek = await this.#current();
    this.#kekOf(kek);
    await this.#store.add(
      bundles.map(({ id, keys }) => ({ id, kind, room, ...this.#wrapped({ id, room, kind }, keys, kek.id), at: Date.now() })),
    );
    if (performance.now() - began > SLOW) throw new Unavailable("VAULT_UNAVAILABLE", "The keys took too long to be stored");
  }

  async #current(): Promise<KeyRow> {
    const newest = (await this.#store.ofKind("kek")).at(-1);
    if (newest) return newest;
    await this.#store.add([newKek(1)]);
    return (await this.#store.ofKind("kek")).at(-1)!;
  }

  async #open(row: KeyRow): Promise<{ keys: Buffer; by: string }> {
    if (!this.#keks.has(row.by)) for (const kek of (await this.#store.find([row.by])).filter(isKek)) this.#kekOf(kek);
    const kek = this.#keks.get(row.by);
    const text = kek && decrypt(kek, placeOf(row), row.wrapped);
    if (text !== undefined) return { keys: Buffer.from(text, "base64"), by: row.by };
    const [again] = kek ? [] : await this.#store.find([row.id]); // it was wrapped anew between two looks
    if (again && again.by !== row.by) return this.#open(again);
    throw unreadable(`The key ${row.id} cannot be opened`);
  }

  #kekOf({ id, wrapped }: KeyRow): Buffer {
    const known = this.#keks.get(id);
    if (known) return known;
    const text = unwrap(PURPOSE, wrapped);
    if (text === undefined) throw unreadable("The keys of sealed fields are wrapped by another master key");
    const kek = Buffer.from(text, "base64");
    this.#keks.set(id, kek);
    return kek;
  }
}

/** Not the same as a key that is gone: what cannot be opened now must not count as erased. */
const unreadable = (why: string) =>
  new Unavailable("VAULT_UNAVAILABLE", `${why}: set MASTER_KEY_FILE, and MASTER_KEY_PREVIOUS_FILE while it changes`);

const newKek = (number: number): KeyRow => ({
  ...{ id: kekId(number), kind: "kek", room: "", by: "", at: Date.now() },
  wrapped: wrap(PURPOSE, randomBytes(KEY_BYTES).toString("base64")),
});

/** The keys of a bundle, each by its id; one that was destroyed is all zeros there, and none. */
const slotsOf = (bundle: string, keys: Buffer): Opened[] =>
  Array.from({ length: keys.length / KEY_BYTES }, (_, slot) => ({ slot, key: keys.subarray(slot * KEY_BYTES, (slot + 1) * KEY_BYTES) }))
    .filter(({ key }) => key.some((byte) => byte !== 0))
    .map(({ slot, key }) => ({ id: `${bundle}-${slot}`, key: key.toString("base64") }));
