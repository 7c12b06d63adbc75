/** Goods of one cost per unit. Quantities and money are decimal strings; a `cost` here is per unit. */
export interface LotMoved {
  quantity: string;
  cost: string;
}

/**
 * What happens to the stock of one product in one warehouse; the stream is `<warehouse>~<product>`. Every `id` is the
 * caller's own, of the movement or of the reservation. `GoodsReceived` and `GoodsReturned` tell the cost per unit, what
 * leaves tells its FIFO cost in total.
 */
export type StockEvent =
  | { type: "GoodsReceived"; id: string; quantity: string; cost: string }
  | { type: "GoodsReturned"; id: string; quantity: string; cost: string }
  | { type: "GoodsWrittenOff"; id: string; quantity: string; cost: string; reason?: string }
  /** `until`: when it lapses, in milliseconds. `askedAt`: what its caller repeats with it, see `Memory`. */
  | { type: "GoodsReserved"; id: string; quantity: string; until?: number; askedAt?: number }
  /** Of nothing (`"0"`) where the id was unknown: a reservation under it that comes late is then refused. */
  | { type: "ReservationReleased"; id: string; quantity: string; askedAt?: number }
  | { type: "ReservationExpired"; id: string; quantity: string }
  /** `id` is the reservation's. `pick` names the movement where it took a part; the rest stays reserved. */
  | { type: "GoodsIssued"; id: string; quantity: string; cost: string; pick?: string }
  | { type: "TransferSent"; id: string; to: string; lots: LotMoved[] }
  | { type: "TransferReceived"; id: string; from: string; lots: LotMoved[] }
  /** The other warehouse has it: no longer in transit. */
  | { type: "TransferCompleted"; id: string };
