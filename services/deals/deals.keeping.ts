import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { isWithin } from "../../mixins/core/policy.ts";
import { momentOf } from "./deals.booking.ts";
import { assign } from "./deals.domain.ts";
import type { Keeping } from "./deals.events.ts";
import * as shapes from "./deals.params.ts";
import type { DealCall, Deals } from "./deals.room.ts";
import { shown } from "./deals.shown.ts";

/** Who keeps a deal that is opened: whoever is named, else who opens it, and his team where he is in one. Throws `NOT_ALLOWED`. */
export const keepingOf = ({ meta, locals, level }: DealCall, { owner, team }: Keeping): Keeping => {
  const user = level === 1 ? meta.user : undefined;
  const keeping = { owner: owner ?? user?.id, team: team ?? (user?.teams?.length === 1 ? user.teams[0] : undefined) };
  const foreign = locals.keepers && team !== undefined && !user?.teams?.includes(team);
  if (foreign || !isWithin(locals.keepers, keeping))
    throw new Rejected("NOT_ALLOWED", "You may open deals only for yourself and your teams", 403);
  return keeping;
};

/** In which of a list's columns the deals stand that the caller reaches; undefined where all are. */
export const anyOfKeepers = ({ locals: { keepers } }: DealCall) =>
  keepers && [{ owner: keepers.owner }, ...keepers.teams.map((team) => ({ team }))];

/** Whether a deal is there for the caller, as far as that is to be asked; undefined where he reaches all. */
export const reachOf = (deals: Deals, { locals: { keepers } }: DealCall) =>
  keepers && (async (id: string) => isWithin(keepers, (await deals.peek(id)) ?? {}));

/** A deal as it stands, or stood at a moment. Throws `DEAL_NOT_FOUND`, also where it is none of the caller's. */
export const current = async (deals: Deals, { locals: { keepers } }: DealCall, id: string, at?: string) => {
  const now = at === undefined || keepers ? await deals.peek(id) : undefined;
  const hidden = keepers && !(now && isWithin(keepers, now));
  const found = hidden ? undefined : at === undefined ? now : await deals.at(id, momentOf(at));
  if (!found) throw new Rejected("DEAL_NOT_FOUND", at === undefined ? "There is no such deal" : `There was no such deal at ${at}`, 404);
  return shown(found);
};

export const assignTo = action({
  description: "Gives a deal to other keepers; to nobody where none is named",
  rest: "PUT /:id/keepers",
  visibility: "published",
  permission: "deals.assign",
  kept: true,
  params: { id: shapes.dealId, ...shapes.keeping },
  returns: shapes.deal,
  async handler(this: Deals, ctx) {
    const { id, ...keeping } = ctx.params;
    return shown(await this.act(ctx, id, assign(keeping)));
  },
});
