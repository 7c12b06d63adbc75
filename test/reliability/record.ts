import type { SagaState } from "../../mixins/core/saga.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";
import type { DealEvent } from "../../services/deals/deals.events.ts";
import type { StockEvent } from "../../services/inventory/inventory.events.ts";

export interface Figures {
  key: string;
  currency: string;
  sales: string;
  returns: string;
  cost: string;
  units: string;
}

/** All that the system holds at the end, when nothing moves any more. */
export interface Inspected {
  /** What still moved when patience ended. */
  unsettled: string[];
  /** Streams that are not, read one by one, what the log says of them. */
  torn: string[];
  deals: Logged<DealEvent>[];
  stock: Logged<StockEvent>[];
  sagas: Pick<SagaState & { id: string }, "id" | "saga" | "status">[];
  list: Record<string, unknown>[];
  revenue: Record<"month" | "country" | "customer" | "product", Figures[]>;
  /** Each view as it was served, and as a rebuild made it. */
  views: { view: string; live: string[]; rebuilt: string[] }[];
}
