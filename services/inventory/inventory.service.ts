import type { Context, ServiceSchema } from "moleculer";
import { actor } from "../../mixins/actor.mixin.ts";
import type { Meta } from "../../mixins/core/context.ts";
import { quantity } from "../../mixins/core/decimal.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { productId, warehouseId } from "../../mixins/core/ids.ts";
import { action } from "../../mixins/core/params.ts";
import { type Projecting, projection } from "../../mixins/projection.mixin.ts";
import { newId } from "../../mixins/runtime/new-id.ts";
import { subscriber } from "../../mixins/subscriber.mixin.ts";
import { type Inventory, type Item, type Kind, runMany, runOne, streamOf } from "./inventory.batch.ts";
import { givingsBack, issues, receipts, releases, reservation, reservations, returns, takes, writeOffs } from "./inventory.kinds.ts";
import { text } from "./inventory.lots.ts";
import * as shapes from "./inventory.params.ts";
import { free, stockModel } from "./inventory.stock.ts";
import { carry, transfer, transfers } from "./inventory.transfer.ts";
import { type Place, places, toAnswer, toFullAnswer, toLedgerPage } from "./inventory.views.ts";

type Room = Inventory & Projecting;

/** One movement of one stock; its id is the caller's, or follows from caller and key. */
const move = async <T extends Item>(room: Inventory, ctx: Context<object, Meta>, kind: Kind<T>, given: Omit<T, "id"> & { id?: string }) => {
  const item = { ...given, id: given.id ?? newId(ctx) } as T;
  const { product, warehouse = "main" } = item;
  const { cost, version } = await runOne(room, ctx, kind, item, ctx.meta.ifVersion);
  return { id: item.id, product, warehouse, stock: streamOf(product, warehouse), version, ...(cost !== undefined && { cost }) };
};

/** The kind's items are those that its params describe; a generic function cannot show it. */
const many = <P extends object, T extends Item>(params: P, kind: Kind<T>) =>
  action({
    visibility: "public",
    params,
    returns: shapes.answers,
    async handler(this: Room, ctx) {
      return { items: await runMany(this, ctx, kind, (ctx.params as unknown as { items: T[] }).items) };
    },
  });

const reads = { visibility: "published", permission: "inventory.read" } as const;
const writes = { visibility: "published", permission: "inventory.write" } as const;

export default {
  name: "inventory",
  version: 1,
  mixins: [actor(stockModel), projection(places), subscriber(transfers)],
  actions: {
    list: action({
      rest: "GET /",
      ...reads,
      params: {
        product: { ...productId, optional: true },
        warehouse: { ...warehouseId, optional: true },
        seen: { type: "string", max: 80, optional: true },
        ...shapes.paging,
      },
      returns: shapes.stocks,
      async handler(this: Room, ctx) {
        const { product, warehouse, ...paging } = ctx.params;
        const page = await this.view<Place>("places").page({ ...paging, where: { product, warehouse } });
        const found = await Promise.all(page.items.map((place) => this.peek(streamOf(place.product, place.warehouse))));
        const items = found.flatMap((stock) => (stock ? [toAnswer(stock, Date.now())] : []));
        return page.next === undefined ? { items } : { items, next: page.next };
      },
    }),
    get: action({
      rest: "GET /:product",
      ...reads,
      params: shapes.stock,
      returns: shapes.stockAnswer,
      async handler(this: Room, { params: { product, warehouse } }) {
        const found = await this.peek(streamOf(product, warehouse));
        if (!found) throw new Rejected("STOCK_NOT_FOUND", `${warehouse} has never had any ${product}`, 404);
        return toFullAnswer(found, Date.now());
      },
    }),
    ledger: action({
      rest: "GET /:product/ledger",
      ...reads,
      params: { ...shapes.stock, ...shapes.paging },
      returns: shapes.ledger,
      async handler(this: Room, { params: { product, warehouse, limit, after } }) {
        const place = shapes.fromCursor(after);
        const commits = await this.history(streamOf(product, warehouse), place[0] - 1, limit! + 1);
        const { items, next } = toLedgerPage(commits, place, limit!);
        return next ? { items, next: shapes.toCursor(next) } : { items };
      },
    }),
    receive: action({
      rest: "POST /:product/receipts",
      http: { status: 201 },
      ...writes,
      params: { id: shapes.optionalId, ...shapes.stock, quantity, cost: shapes.optionalQuantity },
      returns: shapes.moved,
      handler(this: Room, ctx) {
        return move(this, ctx, receipts, ctx.params);
      },
    }),
    writeOff: action({
      rest: "POST /:product/write-offs",
      http: { status: 201 },
      ...writes,
      params: { id: shapes.optionalId, ...shapes.stock, quantity, reason: shapes.reason },
      returns: shapes.moved,
      handler(this: Room, ctx) {
        return move(this, ctx, writeOffs, ctx.params);
      },
    }),
    takeBack: action({
      rest: "POST /:product/returns",
      http: { status: 201 },
      ...writes,
      params: { id: shapes.optionalId, ...shapes.stock, quantity, cost: shapes.optionalQuantity },
      returns: shapes.moved,
      handler(this: Room, ctx) {
        return move(this, ctx, returns, ctx.params);
      },
    }),
    reserve: action({
      rest: "POST /:product/reservations",
      http: { status: 201 },
      ...writes,
      params: { id: shapes.optionalId, ...shapes.stock, quantity, until: shapes.instant },
      returns: shapes.moved,
      handler(this: Room, ctx) {
        return move(this, ctx, reservation, { ...shapes.notOfDeal(ctx.params), until: shapes.momentOf(ctx.params.until) });
      },
    }),
    release: action({
      rest: "POST /:product/reservations/:id/release",
      ...writes,
      params: { id: shapes.movementId, ...shapes.stock },
      returns: shapes.moved,
      handler(this: Room, ctx) {
        return move(this, ctx, releases, shapes.notOfDeal(ctx.params));
      },
    }),
    pick: action({
      rest: "POST /:product/reservations/:id/pick",
      ...writes,
      params: {
        id: shapes.movementId,
        ...shapes.stock,
        quantity: shapes.optionalQuantity,
        pick: shapes.optionalId,
        askedAt: shapes.moment,
      },
      returns: shapes.moved,
      handler(this: Room, ctx) {
        return move(this, ctx, issues, shapes.notOfDeal(ctx.params));
      },
    }),
    transfer: action({
      rest: "POST /:product/transfers",
      http: { status: 201 },
      ...writes,
      params: { id: shapes.optionalId, product: productId, from: shapes.stock.warehouse, to: warehouseId, quantity },
      returns: shapes.transfer,
      async handler(this: Room, ctx) {
        const { product, from = "main", to, quantity } = ctx.params;
        const wanted = { id: ctx.params.id ?? newId(ctx), product, from, to, quantity };
        const cost = await transfer(this, ctx, wanted);
        return { ...wanted, ...(cost !== undefined && { cost }) };
      },
    }),
    carry: action({
      visibility: "public",
      params: { id: shapes.movementId, product: productId, from: warehouseId },
      returns: {},
      async handler(this: Room, ctx) {
        await carry(this, ctx, ctx.params);
        return {};
      },
    }),
    available: action({
      visibility: "public",
      params: shapes.asking,
      returns: shapes.available,
      async handler(this: Room, ctx) {
        const freeOf = async ({ product, warehouse = "main" }: { product: string; warehouse?: string }) => {
          const stock = await this.peek(streamOf(product, warehouse));
          return { product, warehouse, available: stock ? text(free(stock, Date.now())) : "0" };
        };
        return { items: await Promise.all(ctx.params.items.map(freeOf)) };
      },
    }),
    receiveMany: many(shapes.receiving, receipts),
    writeOffMany: many(shapes.writingOff, writeOffs),
    takeBackMany: many(shapes.takingBack, returns),
    reserveMany: many(shapes.reserving, reservations),
    releaseMany: many(shapes.releasing, releases),
    issueMany: many(shapes.issuing, issues),
    takeMany: many(shapes.taking, takes),
    giveBackMany: many(shapes.taking, givingsBack),
  },
} satisfies ServiceSchema;
