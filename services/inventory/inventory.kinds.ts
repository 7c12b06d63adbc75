import type { Infer } from "../../mixins/core/params.ts";
import type { Kind } from "./inventory.batch.ts";
import { decide, giveBack, issue, receive, release, reserve, take, takeBack, writeOff } from "./inventory.domain.ts";
import { recall } from "./inventory.memory.ts";
import type { issuing, receiving, releasing, reserving, taking, takingBack, writingOff } from "./inventory.params.ts";
import { find } from "./inventory.table.ts";

type Items<P> = Infer<P> extends { items: (infer T)[] } ? T : never;

/** What can be asked of a stock, one at a time or many. */
export const receipts: Kind<Items<typeof receiving>> = {
  request: ({ id, quantity, cost }) => receive(id, quantity, cost ?? "0"),
  key: ({ id }) => `in:${id}`,
  asked: ({ quantity, cost }) => JSON.stringify([quantity, cost]),
};
export const returns: Kind<Items<typeof takingBack>> = {
  request: ({ id, quantity, cost }) => takeBack(id, quantity, cost),
  key: ({ id }) => `back:${id}`,
  asked: ({ quantity, cost }) => JSON.stringify([quantity, cost]),
};
export const writeOffs: Kind<Items<typeof writingOff>> = {
  request: ({ id, quantity, reason }) => writeOff(id, quantity, reason),
  key: ({ id }) => `off:${id}`,
  asked: ({ quantity, reason }) => JSON.stringify([quantity, reason]),
};
export const reservations: Kind<Items<typeof reserving>> = {
  request: ({ id, quantity, until, askedAt }, _now, recalled) => reserve({ id, quantity, until, askedAt, recalled }),
};
/** One that comes by itself, and does not say when it was first asked for: the store knows it again, however long after. */
export const reservation: typeof reservations = {
  ...reservations,
  key: ({ id }) => `held:${id}`,
  known: (stock, item, recalled) =>
    recalled || find(stock.reservations, item.id) || recall(stock.settled, item.id)
      ? decide(stock, [reservations.request(item, 0, recalled)], 0).outcomes[0] // as it is recorded, whatever may have lapsed meanwhile
      : undefined,
};
export const releases: Kind<Items<typeof releasing>> = {
  request: ({ id, askedAt }, now, recalled) => release({ id, askedAt, recalled }, now),
};
export const takes: Kind<Items<typeof taking>> = {
  request: ({ id, quantity, askedAt }, _now, recalled) => take({ id, quantity, askedAt, recalled }),
};
export const givingsBack: Kind<Items<typeof taking>> = {
  request: ({ id, quantity, askedAt }, now, recalled) => giveBack({ id, quantity, askedAt, recalled }, now),
};
export const issues: Kind<Items<typeof issuing>> = {
  request: ({ id, quantity, pick, askedAt }, _now, recalled) => issue({ id, quantity, pick, askedAt, recalled }),
};
