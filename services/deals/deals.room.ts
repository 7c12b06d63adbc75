import type { Context } from "moleculer";
import type { Actor } from "../../mixins/actor.mixin.ts";
import type { Locals, Meta } from "../../mixins/core/context.ts";
import type { Projecting } from "../../mixins/projection.mixin.ts";
import type { Coordinating } from "../../mixins/saga.mixin.ts";
import type { Deal } from "./deals.domain.ts";
import type { DealEvent } from "./deals.events.ts";

/** The room as its handlers see it. */
export type Deals = Actor<Deal, DealEvent> & Projecting & Coordinating;

export type DealCall = Context<unknown, Meta, Locals>;
