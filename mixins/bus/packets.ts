import type { Transporters } from "moleculer";

/** Moleculer's packets, and the two words of our own in them. */
export type Packet = Parameters<Transporters.NATS["publish"]>[0];

export interface Payload {
  sender?: unknown;
  services?: unknown;
  /** Of a call or an answer: its id; of a call: how deep it is among calls that call, and what goes with it. */
  id?: unknown;
  level?: unknown;
  meta?: unknown;
  /** Of an event: what it is called, and what it tells. */
  event?: unknown;
  data?: unknown;
  /** Of an INFO: its node was away, and what others had sent there and had no answer to is lost. */
  back?: boolean;
}

const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const MOST_KNOWN = 10_000;
const known = new Set<unknown>();

/** Whether a packet's sender can be a node: its id becomes part of subjects, where a space ends a connection and a line break begins another message. */
export const isNodeId = (sender: unknown): sender is string => {
  if (known.has(sender)) return true;
  if (typeof sender !== "string" || !NODE_ID.test(sender)) return false;
  if (known.size < MOST_KNOWN) known.add(sender);
  return true;
};

/** Whether this can be what a packet carries: whoever reads on needs a sender, and no more is certain. */
export const isPayload = (told: unknown): told is Payload & { sender: string } =>
  typeof told === "object" && told !== null && isNodeId((told as Payload).sender);

/** Takes out of a request or an answer what says nothing: it would be half of a small one, and Moleculer reads it the same. */
export const trim = (payload: Record<string, unknown>): void => {
  if (isEmpty(payload.meta)) payload.meta = undefined;
  if (isEmpty(payload.headers)) payload.headers = undefined;
  if (payload.stream === false && payload.seq === undefined) payload.stream = undefined; // with a number it ends a stream
  if (payload.tracing === null) payload.tracing = undefined;
  if (payload.parentID === null) payload.parentID = undefined;
  if (payload.caller === null) payload.caller = undefined;
};

const isEmpty = (value: unknown): boolean => {
  for (const _ in value as object) return false;
  return true;
};
