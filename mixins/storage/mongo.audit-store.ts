import { isDeepStrictEqual } from "node:util";
import type { Collection, Filter } from "mongodb";
import { type AuditFind, type AuditRow, type AuditStore, bundles, type Chained, type Draft, foundBy, type Place } from "./audit-store.ts";
import { isDuplicate, MongoHost, type Row, rows } from "./mongo.host.ts";
import { storable } from "./mongo.rows.ts";

/** Entries that were stored together. */
export interface BundleRow extends Row {
  /** What the first goes on from: only one writer can (at midnight two could have places on two days). */
  readonly prev: string;
  readonly last: number;
  readonly entries: Omit<AuditRow, "day" | "seal">[];
  readonly seal?: string;
  /** What they are found by; they say it themselves as well. */
  readonly ids: string[];
  readonly users: string[];
  readonly resources: string[];
}

export const TRAIL = "trail";
const DIGITS = 12;
const MOST = 10 ** DIGITS - 1;
const ATTEMPTS = 50;

const keyOf = (day: string, n: number) => `${day}/${String(n).padStart(DIGITS, "0")}`;
/** The place of a bundle's first entry; what is no such key comes last. */
const placeOf = ({ _id }: Row): Place => {
  const [day = "", n = ""] = _id.split("/", 2);
  return { day, n: keyOf(day, Number(n)) === _id ? Number(n) : MOST };
};
const known = (values: (string | undefined)[]) => [...new Set(values.filter((value) => value !== undefined).map(storable))] as string[];

/** Entries as one document: it is there whole or not at all, and known by the place of its first. */
export const toBundle = (bundle: readonly AuditRow[]): BundleRow => {
  const [{ day, n, prev }, last] = [bundle[0]!, bundle.at(-1)!];
  const said = bundle.map(foundBy);
  return {
    _id: keyOf(day, n),
    prev,
    last: last.n,
    entries: bundle.map(({ day: _, seal: __, ...entry }) => entry),
    ...(last.seal !== undefined && { seal: last.seal }),
    ids: known(said.map(({ id }) => id)),
    users: known(said.map(({ user }) => user)),
    resources: known(said.map(({ resource }) => resource)),
  };
};

export const rowsOf = (bundle: BundleRow): AuditRow[] => {
  const { day, n } = placeOf(bundle);
  return bundle.entries.map((entry, i) => {
    const sealed = i === bundle.entries.length - 1 && typeof bundle.seal === "string";
    return { ...entry, day, n: n + i, ...(sealed && { seal: bundle.seal }) };
  });
};

/** Whether a document is what its entries make it: where and by what they are found is nowhere in the chain. */
const isWhole = (bundle: BundleRow, entries: AuditRow[]): boolean => {
  try {
    return isDeepStrictEqual(toBundle(entries), bundle);
  } catch {
    return false; // no entries, or none that says anything
  }
};

/** The same to be verified. A bundle without entries is an entry that says nothing. */
const verifiable = (bundle: BundleRow): AuditRow[] => {
  const entries = Array.isArray(bundle.entries) ? rowsOf(bundle) : [];
  if (isWhole(bundle, entries)) return entries;
  const [first = { ...placeOf(bundle), body: "", prev: "", chain: "" }, ...rest] = entries;
  return [{ ...first, misfiled: "what is stored beside the entries of its bundle is not what they say" }, ...rest];
};

/** The trail in the room's database. Who appends looks which id are there after he has looked for the end: then nobody else can have come in between unseen. */
export class MongoAuditStore implements AuditStore {
  readonly #host = MongoHost.open();
  readonly #bundles: Collection<BundleRow>;
  #unforked?: Promise<unknown>;

  constructor(room: string) {
    this.#bundles = rows<BundleRow>(this.#host.room(room), TRAIL);
    for (const index of [{ ids: 1 }, { users: 1, _id: 1 }, { resources: 1, _id: 1 }] as const) {
      void this.#bundles.createIndex(index as never).catch(() => {}); // without it a search takes longer
    }
  }

  async append(drafts: readonly Draft[], chained: Chained): Promise<void> {
    this.#unforked ??= this.#host.ask(() => this.#bundles.createIndex({ prev: 1 }, { unique: true }));
    await this.#unforked.catch((error) => {
      this.#unforked = undefined;
      throw error;
    });
    for (const bundle of bundles(drafts)) await this.#store(bundle, chained);
  }

  write(drafts: readonly Draft[], chained: Chained): Promise<void> {
    return this.append(drafts, chained);
  }

  async rows(after: Place | undefined, limit: number): Promise<AuditRow[]> {
    const place = after ?? { day: "", n: 0 };
    const within = after && (await this.#bundleAt(after));
    const later = ({ day, n }: AuditRow) => day > place.day || (day === place.day && n > place.n);
    let rows = within ? verifiable(within).filter(later) : [];
    for (let key = after ? keyOf(after.day, after.n) : ""; ; ) {
      const found = await this.#ask({ _id: { $gt: key } } as Filter<BundleRow>, 1, Math.ceil(limit / 8));
      rows = [...rows, ...found.flatMap(verifiable).filter(later)];
      if (rows.length > 0 || found.length === 0) return rows.slice(0, limit); // none is the trail's end
      key = found.at(-1)!._id;
    }
  }

  async find({ user, resource, from = "", to = "9999-99-99", before }: AuditFind, limit: number): Promise<AuditRow[]> {
    const end = [keyOf(to, MOST), ...(before ? [keyOf(before.day, before.n)] : [])].sort()[0]!;
    const filter = {
      _id: { $gte: from, $lte: end },
      ...(user !== undefined && { users: user }),
      ...(resource !== undefined && { resources: resource }),
    } as unknown as Filter<BundleRow>;
    const fits = (row: AuditRow) => {
      const said = foundBy(row);
      return (user === undefined || said.user === user) && (resource === undefined || said.resource === resource);
    };
    const earlier = ({ day, n }: AuditRow) => !before || day < before.day || (day === before.day && n < before.n);
    const rows: AuditRow[] = [];
    for (let below = filter; rows.length < limit; ) {
      const found = await this.#ask(below, -1, 16);
      for (const bundle of found)
        rows.push(
          ...rowsOf(bundle)
            .reverse()
            .filter((row) => earlier(row) && fits(row)),
        );
      if (found.length < 16) break;
      below = { ...filter, _id: { $gte: from, $lt: found.at(-1)!._id } } as unknown as Filter<BundleRow>;
    }
    return rows.slice(0, limit);
  }

  async one(place: Place): Promise<AuditRow | undefined> {
    const bundle = await this.#bundleAt(place);
    return bundle && rowsOf(bundle).find(({ n }) => n === place.n);
  }

  async ends(limit: number): Promise<AuditRow[]> {
    const ends: AuditRow[] = [];
    for (let row = await this.#last(); row && ends.length < limit; row = await this.#last(row.day)) ends.push(row);
    return ends;
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  async #store(drafts: readonly Draft[], chained: Chained) {
    for (let attempt = 1; ; attempt++) {
      const last = await this.#last();
      const ids = drafts.map(({ id }) => id);
      const there = await this.#host.ask(() =>
        this.#bundles.find({ ids: { $in: ids } } as unknown as Filter<BundleRow>, { projection: { entries: 1 } }).toArray(),
      );
      const stored = new Set(there.flatMap(rowsOf).map((row) => foundBy(row).id)); // what they say, and not what is beside them
      const fresh = drafts.filter(({ id }) => !stored.has(id));
      if (fresh.length === 0) return;
      try {
        await this.#host.ask(() => this.#bundles.insertOne(toBundle(chained(last, fresh)) as never));
        return;
      } catch (error) {
        if (!isDuplicate(error) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** The last entry; of the days before one, if that is said. */
  async #last(day = "9999-99-99"): Promise<AuditRow | undefined> {
    const [bundle] = await this.#ask({ _id: { $lt: day } } as Filter<BundleRow>, -1, 1);
    return bundle && rowsOf(bundle).at(-1);
  }

  async #bundleAt({ day, n }: Place): Promise<BundleRow | undefined> {
    const [bundle] = await this.#ask({ _id: { $gte: `${day}/`, $lte: keyOf(day, n) } } as Filter<BundleRow>, -1, 1);
    return bundle && bundle.last >= n ? bundle : undefined;
  }

  #ask(filter: Filter<BundleRow>, order: 1 | -1, limit: number): Promise<BundleRow[]> {
    return this.#host.ask(() => this.#bundles.find(filter).sort({ _id: order }).limit(limit).toArray()) as Promise<BundleRow[]>;
  }
}
