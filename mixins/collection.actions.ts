import type { ActionSchema, ServiceSchema } from "moleculer";
import { answered, ERASED_AT, filterRule, fold, partial, type Rules, strict } from "./collection.fields.ts";
import { type Call, type Collection, type CollectionOptions, closedOf, type Fields } from "./collection.mixin.ts";
import { decodeCursor, encodeCursor, pageParams } from "./collection.pages.ts";
import { Unavailable } from "./core/errors.ts";
import { id as anyId } from "./core/ids.ts";
import type { Http } from "./core/params.ts";
import { newId } from "./runtime/new-id.ts";
import { type Shown, shown } from "./storage/document-log.ts";
import type { Query } from "./storage/query.ts";

type Actions = NonNullable<ServiceSchema["actions"]>;

const MAX_SAVED = 1_000;
const count = "number|integer|min:0";

/** What a collection's documents look like in answers. */
export const documentRules = ({
  fields,
  kept = {},
  id = anyId,
  sealed,
}: Pick<CollectionOptions, "fields" | "kept" | "id" | "sealed">): Rules => ({
  id,
  ...answered(fields, sealed),
  ...answered(kept),
  ...(sealed && ERASED_AT),
  version: "number|integer|min:1",
  createdAt: "string",
  updatedAt: "string",
});

/** The actions that every collection has: `create get update remove list saveMany commits`. */
export const collectionActions = (options: CollectionOptions): Actions => {
  const { fields, kept = {}, id = anyId, fixed = [], imported = [], filters = [] } = options;
  const document = documentRules(options);
  const [reads, writes] = [`${options.name}.read`, `${options.name}.write`];
  const noun = options.entity.toLowerCase();
  const changeable = Object.fromEntries(Object.entries(fields).filter(([name]) => !fixed.includes(name)));
  const savable = { ...fields, ...Object.fromEntries(imported.map((name) => [name, kept[name]])) };
  const item = { type: "object", props: { id: options.idFrom ? { ...id, optional: true } : id, ...partial(savable) } };
  const asksSealed = (given: Fields) => (options.sealed ?? []).some((name) => given[name] !== undefined && given[name] !== null);
  return {
    create: define({
      description: `Creates a ${noun}`,
      rest: "POST /",
      http: { status: 201, location: `/api/v1/${options.name}/{id}` },
      visibility: "published",
      permission: writes,
      params: { id: { ...id, optional: true }, ...fields },
      returns: document,
      handler(this: Collection, ctx: Call) {
        const { id: given, ...rest } = ctx.params;
        const id = (given as string | undefined) ?? options.idFrom?.(rest) ?? newId(ctx);
        const fresh = asksSealed(rest) ? 1 : 0;
        return opened(
          this,
          this.once(ctx, () => this.add(ctx, id, rest), { fresh }),
        );
      },
    }),
    get: define({
      description: `A ${noun} as it is now`,
      rest: "GET /:id",
      visibility: "published",
      permission: reads,
      params: { id },
      returns: document,
      handler(this: Collection, ctx: Call) {
        const id = ctx.params.id as string;
        const found = this.adapter.documents.consult(() => {
          const found = this.look(id) ?? shown(this.demand(id));
          return options.resolve?.(found, (other) => this.look(other)) ?? found;
        });
        return opened(this, found);
      },
    }),
    update: define({
      description: `Changes the fields of a ${noun} that are named; null takes one away`,
      rest: "PATCH /:id",
      http: { ifMatch: "required" },
      visibility: "published",
      permission: writes,
      params: { id, ...partial(changeable) },
      returns: document,
      async handler(this: Collection, ctx: Call) {
        const { id, ...change } = ctx.params as { id: string };
        await options.consider?.(this, [ctx.params]);
        const changed = this.once(ctx, () => this.change(ctx, this.demand(id, ctx.meta.ifVersion), change), { ids: [id] });
        return opened(this, changed);
      },
    }),
    remove: define({
      description: `Removes a ${noun} for good`,
      rest: "DELETE /:id",
      visibility: "published",
      permission: writes,
      params: { id },
      returns: { id, version: "number|integer|min:1" },
      async handler(this: Collection, ctx: Call) {
        const id = ctx.params.id as string;
        await options.consider?.(this, [{ id, removed: true }]);
        const removed = await this.once(ctx, () => {
          const found = this.adapter.documents.look(id);
          return found?.removed ? { id, version: found.document.version } : this.drop(ctx, this.demand(id, ctx.meta.ifVersion));
        });
        await this.forget(id);
        return removed;
      },
    }),
    list: define({
      description: `The ${noun}s page by page, in an order and by filters`,
      rest: "GET /",
      visibility: "published",
      permission: reads,
      params: {
        ...pageParams(options.sorts),
        ...(options.folded ? { search: { type: "string", min: 1, max: 60, optional: true } } : {}),
        ...Object.fromEntries(filters.map((name) => [name, filterRule(fields[name])])),
      },
      returns: { items: { type: "array", items: { type: "object", props: document } }, next: { type: "string", optional: true } },
      handler(this: Collection, ctx: Call) {
        const { seen, ...params } = ctx.params;
        const found = after(checkSeen(this, seen as string | undefined), () =>
          after(queryOf(this, options, params), (query) => {
            const { stamps } = this.adapter.documents;
            const read = () => readPage(this, options, params, query);
            return stamps ? this.cached(`list:${JSON.stringify([params, query])}`, stamps.last(), read) : read();
          }),
        );
        return after(found, (page) => after(this.open(page.items), (items) => (items === page.items ? page : { ...page, items })));
      },
    }),
    saveMany: define({
      description: `Creates and changes ${noun}s by their ids: all are checked before any is stored`,
      visibility: "public",
      /** `onlyNew`: what is there already stays as it is. */
      params: { items: { type: "array", max: MAX_SAVED, items: item }, onlyNew: "boolean|optional" },
      returns: { created: count, changed: count, unchanged: count, skipped: count },
      async handler(this: Collection, ctx: Call) {
        const items = ctx.params.items as Fields[];
        await options.consider?.(this, items);
        const ids = options.sealed && items.map((item) => (item.id as string | undefined) ?? options.idFrom!(item));
        return this.once(ctx, () => saveMany(this, options, ctx), { ids, fresh: items.filter(asksSealed).length });
      },
    }),
    commits: define({
      description: `What happened to the ${noun}s, each as it is now, after a place in the record`,
      visibility: "protected",
      params: { after: "string|max:64|convert|default:", limit: "number|integer|min:1|max:1000|convert|default:500" },
      returns: { commits: { type: "array", items: { type: "object" } }, next: "string|optional" },
      async handler(this: Collection, ctx: Call) {
        const after = ctx.params.after as string;
        const { commits, next } = await this.adapter.documents.record(after, ctx.params.limit as number);
        return next === after ? { commits } : { commits, next };
      },
    }),
  };
};

interface Declared {
  description: string;
  rest?: string;
  http?: Http;
  visibility: "published" | "public" | "protected";
  permission?: string;
  params: Rules;
  returns: Rules;
  handler: (this: Collection, ctx: Call) => unknown;
}

/** Like `action` of core, where params follow from options and have no types of their own. */
const define = (declared: Declared): ActionSchema => ({
  ...declared,
  params: { $$strict: "remove", ...strict(declared.params) },
  handler: declared.handler as unknown as ActionSchema["handler"],
});

/** Once `value` is there, at once where it is: on SQLite a list is answered in the same turn. */
const after = <T, U>(value: T | Promise<T>, next: (value: T) => U): U | Promise<Awaited<U>> =>
  value instanceof Promise ? (value.then(next) as Promise<Awaited<U>>) : next(value);

/** A document as its caller sees it. */
const opened = (room: Collection, document: Shown | Promise<Shown>) =>
  after(document, (found) => after(room.open([found]), ([shown]) => shown));

/** A list shows all that is stored: what it lacks nobody acknowledged. */
const checkSeen = ({ adapter }: Collection, seen: string | undefined): void | Promise<void> => {
  if (!seen) return;
  const [id, version] = seen.split("@") as [string, string];
  return adapter.documents.consult(() => {
    if ((adapter.documents.look(id)?.document.version ?? 0) >= Number(version)) return;
    throw new Unavailable("VIEW_BEHIND", `The list has not seen ${seen}`, { seen });
  });
};

/** What lists are filtered by; a field that is sealed by what stands for its value. */
const queryOf = (room: Collection, { filters = [], sealed = [], listed }: CollectionOptions, params: Fields): Query | Promise<Query> => {
  const asked = filters.filter((name) => name in params);
  const query = { ...listed, ...Object.fromEntries(asked.filter((name) => !sealed.includes(name)).map((name) => [name, params[name]])) };
  const blind = asked.filter((name) => sealed.includes(name)).map((name) => room.sealing!.match(name, params[name] as string));
  return blind.length === 0 ? query : Promise.all(blind).then((parts) => Object.assign(query, ...parts) as Query);
};

const readPage = ({ adapter }: Collection, options: CollectionOptions, params: Fields, filter: Query) => {
  const {
    limit,
    after: from,
    sort = options.sorts[0],
    search,
  } = params as { limit: number; after?: string; sort?: string; search?: string };
  const folded = options.folded && `_${options.folded}`;
  const query: Record<string, unknown> = { ...filter };
  if (search && folded) query[folded] = { $prefix: fold(search) };
  const order = options.folded === sort.replace("-", "") ? sort.replace(options.folded, folded!) : sort;
  const found = adapter.documents.page({ query, sort: [order], limit, after: from ? decodeCursor(from, sort) : undefined });
  return after(found, ({ documents, next }) => ({ items: documents.map(shown), ...(next && { next: encodeCursor(next, sort) }) }));
};

/**
 * Each as a creation or a change, none where one is refused. What was removed, or takes no changes, stays as it is: an import does not
 * undo what people did; with `onlyNew` whatever is there stays. A thousand take some 30 ms of the process's time.
 */
const saveMany = (room: Collection, options: CollectionOptions, ctx: Call) => {
  const { items, onlyNew } = ctx.params as { items: Fields[]; onlyNew?: boolean };
  const counts = { created: 0, changed: 0, unchanged: 0, skipped: 0 };
  const save = ({ id: given, ...rest }: Fields): keyof typeof counts => {
    const id = (given as string | undefined) ?? options.idFrom!(rest);
    const found = room.adapter.documents.look(id);
    if (!found) {
      room.add(ctx, id, rest);
      return "created";
    }
    if (found.removed || closedOf(options, found.document)) return "skipped";
    if (onlyNew) return "unchanged";
    return room.change(ctx, found.document, rest).version === found.document.version ? "unchanged" : "changed";
  };
  for (const item of items) counts[save(item)]++;
  return counts;
};
