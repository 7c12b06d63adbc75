import type { Context } from "moleculer";
import type { Meta } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import type { Commit } from "../../mixins/storage/event-store.ts";
import { type Inventory, type Item, type Kind, runOne, streamOf } from "./inventory.batch.ts";
import { arrive, complete, send } from "./inventory.domain.ts";
import type { StockEvent } from "./inventory.events.ts";
import { find } from "./inventory.table.ts";
import { placeOf } from "./inventory.views.ts";

type Call = Context<unknown, Meta>;

export interface Transfer {
  id: string;
  product: string;
  from: string;
  to: string;
  quantity: string;
}

/**
 * Moves goods between two warehouses at what they cost: they leave the one and are in transit there, arrive at the
 * other, and are no longer in transit. Asked again under the same id, it goes on from where it stopped, however long
 * ago, and doubles nothing; where nobody asks again, `transfers` goes on. Answers the cost, unless it was
 * done so long ago that the stock has forgotten it.
 */
export const transfer = async (room: Inventory, ctx: Call, { id, product, from, to, quantity }: Transfer): Promise<string | undefined> => {
  if (from === to) throw new Rejected("TRANSFER_NOWHERE", "A transfer goes to another warehouse");
  const sending: Kind<Item> = {
    request: () => send(id, to, quantity),
    key: () => `sent:${id}`,
    asked: () => JSON.stringify([to, quantity]),
  };
  const { cost } = await runOne(room, ctx, sending, { id, product, warehouse: from });
  await carry(room, ctx, { id, product, from });
  return cost;
};

/** Takes what is in transit under this id, if anything is, to where it goes. */
export const carry = async (
  room: Inventory,
  ctx: Call,
  { id, product, from }: Pick<Transfer, "id" | "product" | "from">,
): Promise<void> => {
  const source = await room.peek(streamOf(product, from));
  const transit = source && find(source.transit, id);
  if (!transit) return;
  const arriving: Kind<Item> = { request: () => arrive(id, from, transit.lots), key: () => `got:${id}` };
  await runOne(room, ctx, arriving, { id, product, warehouse: transit.to });
  await runOne(room, ctx, { request: () => complete(id) }, { id, product, warehouse: from });
};

/** What is sent arrives, though whoever sent it died on the way. */
export const transfers = {
  "inventory.TransferSent": ({ id }: Extract<StockEvent, { type: "TransferSent" }>, { stream }: Commit) => {
    const { product, warehouse } = placeOf(stream);
    return [{ action: "v1.inventory.carry", params: { id, product, from: warehouse } }];
  },
};
