import { randomUUIDv7 } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Context, Service, ServiceSchema } from "moleculer";
import DbService from "moleculer-db";
import { type Carrier, carry } from "./bus/log.ts";
import { type Cached, cached } from "./cached.mixin.ts";
import { collectionActions } from "./collection.actions.ts";
import { checker, fold, type Rules } from "./collection.fields.ts";
import type { Meta } from "./core/context.ts";
import { Rejected } from "./core/errors.ts";
import { id as anyId } from "./core/ids.ts";
import { type Idempotency, idempotency } from "./idempotency.mixin.ts";
import { forgetFigures, publishing, tellFigures } from "./runtime/room.figures.ts";
import { refuseTaken } from "./storage/collection.writes.ts";
import type { CollectionAdapter, IndexDeclaration, Stored } from "./storage/collection-store.ts";
import { type Change, type Shown, shown } from "./storage/document-log.ts";
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
  /** Why a document takes no more changes; `saveMany` passes it over. */
  closed?: (document: Fields) => Rejected | undefined;
  /** What `get` shows of a document instead of itself, from what others say. */
  resolve?: (document: Shown, get: (id: string) => Shown | undefined) => Shown;
}

/** What the mixin gives a service; its handlers take it as `this`. */
export interface Collection extends Idempotency, Cached {
  adapter: CollectionAdapter;
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
  const check = checker({ ...options.fields, ...options.kept });
  const grammar = new RegExp((options.id ?? anyId).pattern);
  return {
    name: options.name,
    version: 1,
    mixins: [idempotency, cached(), bare],
    settings: { idField: "id", entity: options.entity, indexes: indexesOf(options) } as ServiceSchema["settings"],
    methods: {
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
        const document = complete(options, check, { _id: id }, fields, undefined);
        return shown(this.adapter.documents.put({ ...document, createdAt: now, updatedAt: now }, changeOf(ctx, `${options.entity}Saved`)));
      },

      change(this: Collection, ctx: Call, before: Stored, change: Fields): Shown {
        const closed = options.closed?.(before);
        if (closed) throw closed;
        const document = complete(options, check, before, change, before);
        if (isDeepStrictEqual(document, before)) return shown(before);
        document.updatedAt = new Date().toISOString();
        return shown(this.adapter.documents.put(document, changeOf(ctx, `${options.entity}Saved`)));
      },

      drop(this: Collection, ctx: Call, before: Stored): Shown {
        return shown(this.adapter.documents.remove(before._id, changeOf(ctx, `${options.entity}Removed`))!);
      },
    },
  };
};

/** One index for each order, and one for each filter with the first order behind it; what a room declares of the same goes before. */
const indexesOf = ({ sorts, filters = [], folded, indexes = [] }: CollectionOptions): IndexDeclaration[] => {
  const path = (sort: string) => (sort === folded ? `_${sort}` : sort);
  const following = [...sorts.map((sort) => [path(sort)]), ...filters.map((filter) => [filter, path(sorts[0])])];
  return [
    ...indexes,
    ...following.filter((fields) => !indexes.some((index) => isDeepStrictEqual(index.fields, fields))).map((fields) => ({ fields })),
  ];
};

/** The document that follows from what was and what is to change, checked as a whole, with the field that the room searches by. */
const complete = (
  { prepare, folded }: CollectionOptions,
  check: (document: Fields) => void,
  start: Document,
  change: Fields,
  before: Stored | undefined,
): Document => {
  const document: Document = { ...start };
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === undefined) delete document[name];
    else document[name] = copy(value);
  }
  const prepared = (prepare?.(document, change, before) ?? document) as Document;
  check(prepared);
  if (!folded) return prepared;
  const { [`_${folded}`]: _, ...rest } = prepared;
  return (typeof rest[folded] === "string" ? { ...rest, [`_${folded}`]: fold(rest[folded]) } : rest) as Document;
};

/** The room's own copy; deep inside, too, null is what is not there. */
const copy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key, part]) => part !== null && part !== undefined && key !== "__proto__");
  return Object.fromEntries(entries.map(([key, part]) => [key, copy(part)]));
};

const changeOf = (ctx: Call, type: string): Change => {
  const at = Date.now();
  const { user, cause, from, occurredAt = at } = ctx.meta;
  const origin = { by: user?.id, request: ctx.requestID ?? undefined, cause, session: user?.session, from };
  return { id: randomUUIDv7(), type, ...origin, at, occurredAt: Math.min(occurredAt, at) };
};
