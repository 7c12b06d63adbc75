import type { Keepers } from "./policy.ts";

/** Who asks. */
export interface User {
  readonly id: string;
  readonly roles: readonly string[];
  readonly teams?: readonly string[];
  /** Under which login, or by which API key; an operator of the host has none. */
  readonly session?: string;
  /** Set where an API key asks in his name. */
  readonly machine?: true;
  /** Of a key that has a limit of its own: requests a second. */
  readonly rate?: number;
}

/** What travels with every call: who asks, on whose behalf, and the key under which repeating it changes nothing. */
export interface Meta {
  user?: User;
  /** The caller's `Idempotency-Key`, or one that we made from what led to the call (a saga's step, an event). */
  idempotencyKey?: string;
  /** Set where the key is our own: it names the request already, so no digest of the request is kept with it. */
  ownKey?: boolean;
  /** The version that the caller has seen (`If-Match`); a write to another one is refused with 412. */
  ifVersion?: number;
  /** When it happened in the user's world, in milliseconds, where that is not now: a booking typed in later, an import. */
  occurredAt?: number;
  /** The trace that the request belongs to, where its caller named one (`traceparent`); its request id otherwise. */
  traceId?: string;
  /** The address that the request came from. */
  from?: string;
  /** What led to this call: a saga's id, or a commit as `<room>/<stream>@<version>`. */
  cause?: string;
}

/** What is known of a call where it is answered, and goes no further. */
export interface Locals {
  /** Whose records the caller reaches, where that is not all. */
  keepers?: Keepers;
}
