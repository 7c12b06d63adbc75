import { randomUUIDv7 } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Context, Service, ServiceSchema } from "moleculer";
import DbService from "moleculer-db";
import { type Carrier, carry } from "./bus/log.ts";
import { type Cached, cached } from "./cached.mixin.ts";
import { collectionActions } from "./collection.actions.ts";
import { checker, ERASED_AT, fold, type Rules } from "./collection.fields.ts";
import { sealedRoom } from "./collection.sealed.ts";
import type { Sealing } from "./collection.sealing.ts";
import type { Meta, User } from "./core/context.ts";
import { Rejected } from "./core/errors.ts";
import { id as anyId } from "./core/ids.ts";
import { type Idempotency, idempotency } from "./idempotency.mixin.ts";
import { forgetFigures, publishing, tellFigures } from "./runtime/room.figures.ts";
import { refuseTaken } from "./storage/collection.writes.ts";
import type { CollectionAdapter, IndexDeclaration, Stored } from "./storage/collection-store.ts";
import { type Change, type Shown, shown, withSalt } from "./storage/document-log.ts";
import { openCollectionAdapter } from "./storage/open.ts";
import type { Document, Query } from "./storage/query.ts";

export type Call = Context<Record<string, unknown>, Meta>;
export type Fields = Record<string, unknown>;

export interface CollectionOptions {
  /** The room's name. */
  name: string;
  /** One of its documents: names its events, `CustomerSaved` and `CustomerRemoved`. */
  entity: string;
  /** What callers give: params, answers and the check of every write follow from these rules. */
  fields: Rules;
  /** What the room itself puts into documents. */
  kept?: Rules;
  /** Those of `kept` that `saveMany` takes: a past that was lived elsewhere. */
  imported?: readonly string[];
  /** Those of `fields` that stay as they were created. */
  fixed?: readonly string[];
  /** The grammar of ids, where it is narrower than everywhere. */
  id?: { readonly type: "string"; readonly pattern: string };
  /** The id that follows from what is created, where its caller gives none. */
  idFrom?: (fields: Fields) => string;
  /** What lists can be sorted by; the first is how they are. Texts of `folded` without regard to case, and searched by prefix. */
  sorts: readonly [string, ...string[]];
  folded?: string;
  /** What lists can be filtered by: fields, also lists of values. */
  filters?: readonly string[];
  /** Indexes beside those that follow from sorts and filters. */
  indexes?: readonly IndexDeclaration[];
  /** What lists show, where that is not all. */
  listed?: Query;
  /** The room's own rules: answers with the document as it is to be stored, or throws. `change` is what was asked for. */
  prepare?: (document: Fields, change: Fields, before: Fields | undefined) => Fields;
  /** Throws where whoever asks may not make this of what was; of a removal `after` is nothing. Before anything is stored, or a key destroyed. */
  guard?: (caller: User | undefined, before: Fields | undefined, after: Fields | undefined) => void;
  /** Throws where these changes may not be, for what stands in other documents. It is asked before the write, and holds nothing until then. */
  consider?: (room: Collection, changes: readonly Fields[]) => Promise<void>;
  /** Why a document takes no more changes; `saveMany` passes it over. */
  closed?: (document: Fields) => Rejected | undefined;
  /**
   * Fields of a person that stand open in the store, for lists are sorted and searched by them, and go with him when he is erased: of each an event,
   * and so whoever keeps events, has a digest that changes with it, under a salt which goes with the document.
   */
  personal?: readonly string[];
  /**
   * Fields that are encrypted under a key of the document's own, wherever it goes: only this room opens them, in the answers of its actions. `exact`:
   * those that can be looked for, each with the one form of its values.
   */
  sealed?: readonly string[];
  exact?: Readonly<Record<string, (value: string) => string>>;
  /** What `get` shows of a document instead of itself, from what others say. */
  resolve?: (document: Shown, get: (id: string) => Shown | undefined) => Shown;
}

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Collection extends Omit<Idempotency, "once">, Cached {
  adapter: CollectionAdapter;
  /** Set where the room seals fields. */
  sealing?: Sealing;
  /** See `Idempotency`. What is known beforehand of the keys that it takes spares it a run: whose documents, and how many new ones. */
  once<T>(ctx: Call, work: () => T, keys?: { ids?: string[]; fresh?: number }): Promise<T>;
  /** Documents as they are answered: with what is sealed in them open, and null where nothing opens it any more. Throws `VAULT_UNAVAILABLE`. */
  open<T extends object>(answers: readonly T[]): readonly T[] | Promise<readonly T[]>;
  /** After a removal: destroys the document's key. */
  forget(id: string): Promise<void>;
  /** Destroys the document's key, so that nothing opens what was sealed by it, wherever it stands, and then stores `change`. Answers with the document. */
  erase(ctx: Call, id: string, change: Fields): Promise<Shown>;
  /** Inside a write or a `consult`: a document as others see it, not to be changed; undefined where there is none. */
  look(id: string): Shown | undefined;
  /** Inside a write: the document, to be changed. Throws where there is none (404), where it was removed (410), and where the version is not the one given (412). */
  demand(id: string, version?: number): Stored;
  /** Inside a write: stores a new document. */
  add(ctx: Call, id: string, fields: Fields): Shown;
  /** Inside a write: stores what `change` makes of a document; null takes a field away. Stores nothing where nothing changes. */
  change(ctx: Call, before: Stored, change: Fields): Shown;
  /** Inside a write: leaves a tombstone. */
  drop(ctx: Call, before: Stored): Shown;
}

/**
 * Without its actions: Moleculer would merge their params, and their caching, into ours. Each service has an adapter of
 * its own, and one that cannot connect fails the start, where moleculer-db would try again without end.
 */
const bare = {
  ...DbService,
  actions: {},
  created(this: Service & { adapter: CollectionAdapter }) {
    this.adapter = openCollectionAdapter();
    this.adapter.init(this.broker, this);
  },
  async started(this: Service & { adapter: CollectionAdapter; carrier?: Carrier }) {
    await this.adapter.connect();
    const carrier = carry(this.name, this.adapter.documents.outbox, this.logger);
    this.carrier = carrier;
    tellFigures(this, "documents", () => publishing(carrier));
  },
  async stopped(this: Service & { adapter: CollectionAdapter; carrier?: Carrier }) {
    forgetFigures(this, "documents");
    await this.carrier?.close();
    await this.adapter.disconnect();
  },
} as unknown as ServiceSchema;

/**
 * A room of documents: moleculer-db on the room's own store, with actions that are safe to publish. Every write raises the
 * document's version, is checked against the same rules as a creation, and carries its event; `Idempotency-Key` and
 * `If-Match` hold for all of them. What is removed cannot come back for 90 days. Lists go by declared orders and
 * filters, never by a query of the client's.
 */
export const collection = (options: CollectionOptions): ServiceSchema => ({ ...documents(options), actions: collectionActions(options) });

/** The same without an action, for a room that has its own. What begins with `_` in a document stays in the room: no event and no answer has it. */
export const documents = (options: CollectionOptions): ServiceSchema => {
  const check = checkerOf(options);
  const grammar = new RegExp((options.id ?? anyId).pattern);
  const { methods: sealedMethods, ...sealedLife } = options.sealed ? sealedRoom(options) : {};
  return {
    ...sealedLife,
    name: options.name,
    version: 1,
    mixins: [idempotency, cached(), bare],
    settings: { idField: "id", entity: options.entity, indexes: indexesOf(options) } as ServiceSchema["settings"],
    methods: {
      open: <T>(answers: readonly T[]) => answers,
      async forget() {},
      ...sealedMethods,

      look(this: Collection, id: string): Shown | undefined {
        const { documents } = this.adapter;
        const load = () => {
          const document = documents.get(id);
          return { document: document && shown(document) };
        };
        if (!documents.stamps) return load().document;
        const position = documents.stamps.position(id);
        return position === 0 ? undefined : this.cached(`document:${id}`, position, load).document;
      },

      demand(this: Collection, id: string, wanted?: number): Stored {
        const found = this.adapter.documents.look(id);
        if (!found) throw new Rejected("DOCUMENT_NOT_FOUND", `There is no ${options.entity.toLowerCase()} with this id`, 404, { id });
        if (found.removed)
          throw new Rejected("DOCUMENT_REMOVED", `The ${options.entity.toLowerCase()} with this id was removed`, 410, { id });
        const { version } = found.document;
        if (wanted !== undefined && wanted !== version) {
          throw new Rejected("VERSION_MISMATCH", `It is at version ${version}, not ${wanted}`, 412, { version });
        }
        return found.document;
      },

      add(this: Collection, ctx: Call, id: string, fields: Fields): Shown {
        if (!grammar.test(id)) throw new Rejected("ID_UNFIT", `No id can be made of this: ${id}`, 422, { id });
        refuseTaken(this.adapter.documents, id);
        const now = new Date().toISOString();
        const document = complete(options, check, { _id: id }, fields, undefined, this.sealing);
        options.guard?.(callerOf(ctx), undefined, document);
        return shown(
          this.adapter.documents.put(
            { ...withSalt(options, document), createdAt: now, updatedAt: now },
            changeOf(ctx, `${options.entity}Saved`),
          ),
        );
      },

      change(this: Collection, ctx: Call, before: Stored, change: Fields): Shown {
        const closed = closedOf(options, before);
        if (closed) throw closed;
        const document = complete(options, check, before, change, before, this.sealing);
        options.guard?.(callerOf(ctx), before, document);
        if (isDeepStrictEqual(document, before)) return shown(before);
        document.updatedAt = new Date().toISOString();
        return shown(this.adapter.documents.put(withSalt(options, document), changeOf(ctx, `${options.entity}Saved`)));
      },

      eraseNow(this: Collection, ctx: Call, before: Stored, change: Fields): Shown {
        const erased = this.sealing!.erased(before) as Stored;
        const document = complete(options, check, erased, change, erased, this.sealing);
        const now = new Date().toISOString();
        return shown(this.adapter.documents.put({ ...document, updatedAt: now, erasedAt: now }, changeOf(ctx, `${options.entity}Saved`)));
      },

      drop(this: Collection, ctx: Call, before: Stored): Shown {
        options.guard?.(callerOf(ctx), before, undefined);
        return shown(this.adapter.documents.remove(before._id, changeOf(ctx, `${options.entity}Removed`))!);
      },
    },
  };
};

/** One index for each order, and one for each filter with the first order behind it; what a room declares of the same goes before. */
const indexesOf = ({ sorts, filters = [], folded, indexes: declared = [], sealed = [] }: CollectionOptions): IndexDeclaration[] => {
  const path = (name: string) => (name === folded || sealed.includes(name) ? `_${name}` : name);
  const indexes = declared.map(({ fields, ...rest }) => ({
    ...rest,
    fields: fields.map((name) => (sealed.includes(name) ? `_${name}` : name)),
  }));
  const following = [...sorts.map((sort) => [path(sort)]), ...filters.map((filter) => [path(filter), path(sorts[0])])];
  return [
    ...indexes,
    ...following.filter((fields) => !indexes.some((index) => isDeepStrictEqual(index.fields, fields))).map((fields) => ({ fields })),
  ];
};

type Check = (document: Fields, untouched: Fields) => void;

/** Checks all of a document but what stays sealed as it was: that was checked when it was sealed. */
const checkerOf = ({ fields, kept, sealed = [] }: CollectionOptions): Check => {
  const rules: Rules = { ...fields, ...kept, ...(sealed.length > 0 && ERASED_AT) };
  const checkers = new Map<string, (document: Fields) => void>();
  return (document, untouched) => {
    const names = sealed.filter((name) => name in untouched);
    const check =
      checkers.get(names.join()) ?? checker(Object.fromEntries(Object.entries(rules).filter(([name]) => !names.includes(name))));
    checkers.set(names.join(), check);
    check(document);
  };
};

/** The document that follows from what was and what is to change, checked as a whole, with the field that the room searches by. */
const complete = (
  { prepare, folded }: CollectionOptions,
  check: Check,
  start: Document,
  change: Fields,
  before: Stored | undefined,
  sealing: Sealing | undefined,
): Document => {
  const document: Document = { ...start };
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === undefined) delete document[name];
    else document[name] = copy(value);
  }
  const untouched = sealing?.untouched(document, before) ?? {};
  for (const name of Object.keys(untouched)) delete document[name];
  const prepared = (prepare?.(document, change, before) ?? document) as Document;
  check(prepared, untouched);
  const { [`_${folded}`]: _, ...rest } = { ...prepared, ...untouched } as Document;
  const whole = (folded && typeof rest[folded] === "string" ? { ...rest, [`_${folded}`]: fold(rest[folded]) } : rest) as Document;
  return sealing?.seal(whole, before) ?? whole;
};

/** The room's own copy; deep inside, too, null is what is not there. */
const copy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key, part]) => part !== null && part !== undefined && key !== "__proto__");
  return Object.fromEntries(entries.map(([key, part]) => [key, copy(part)]));
};

/** Why it takes no more changes: what was erased is nobody's record any more, and would be somebody's again. */
export const closedOf = ({ closed, entity }: CollectionOptions, document: Fields): Rejected | undefined =>
  document.erasedAt === undefined
    ? closed?.(document)
    : new Rejected("DOCUMENT_ERASED", `This ${entity.toLowerCase()} was erased and takes no more changes; create another one`, 409);

/** Whoever asks; nobody where a room does something in its own name. */
export const callerOf = ({ level, meta }: Call): User | undefined => (level > 1 ? undefined : meta.user);

const changeOf = (ctx: Call, type: string): Change => {
  const at = Date.now();
  const { user, cause, from, occurredAt = at } = ctx.meta;
  const origin = { by: user?.id, request: ctx.requestID ?? undefined, cause, session: user?.session, from };
  return { id: randomUUIDv7(), type, ...origin, at, occurredAt: Math.min(occurredAt, at) };
};
