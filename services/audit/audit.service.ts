import type { Context, Service, ServiceSchema } from "moleculer";
import type { Meta } from "../../mixins/core/context.ts";
import { Rejected } from "../../mixins/core/errors.ts";
import { action } from "../../mixins/core/params.ts";
import { ANYONE } from "../../mixins/core/policy.ts";
import { addFollower, followerActions } from "../../mixins/follower.actions.ts";
import type { AuditRow, AuditStore, Chained } from "../../mixins/storage/audit-store.ts";
import { openAuditStore } from "../../mixins/storage/open.ts";
import { auditKeyOf, kidOf, publicText } from "../../mixins/trust/audit-key.ts";
import { masterKey } from "../../mixins/trust/master-key.ts";
import { AT_ONCE, type Report } from "../../mixins/trust/refusals.ts";
import { rolesOf } from "../../mixins/trust/roles.ts";
import { chaining, sealOf } from "./audit.chain.ts";
import { reportedOf, shownTo } from "./audit.entries.ts";
import { AuditFollower } from "./audit.follower.ts";
import { search } from "./audit.search.ts";
import * as shapes from "./audit.shapes.ts";

/** Whose commits are written down: every room that has a record. */
export const SOURCES = ["auth", "customers", "deals", "inventory", "policies", "products", "users"] as const;

type Audit = Service & { store: AuditStore; chained: Chained; publicKey: string; auditors: AuditFollower[] };

/** What the caller sees of an entry, by what his roles may do now. */
const shown = ({ broker }: Audit, { meta }: { meta: Meta }, row: AuditRow) => shownTo(meta.user, rolesOf(broker).roles, row);

/** Who did what, when, from where, and what came of it: a trail that is only ever added to, and shows where somebody changed it. */
export default {
  name: "audit",
  version: 1,
  metadata: { follows: true },
  actions: {
    ...followerActions,
    list: action({
      description: "What was done and what was refused, the latest first",
      rest: "GET /",
      http: { csv: true },
      visibility: "published",
      permission: "audit.read",
      params: shapes.filters,
      returns: { items: { type: "array", items: { type: "object", props: shapes.line } }, next: { type: "string", optional: true } },
      async handler(this: Audit, ctx) {
        const { items, next } = await search(this.store, ctx.params as never);
        const lines = items.map((row) => {
          const { change, ...line } = shown(this, ctx, row);
          return line;
        });
        return { items: lines as never, ...(next && { next }) };
      },
    }),
    get: action({
      description: "One entry with what it changed, and what was written down of the same thing before",
      rest: "GET /entries/:day/:n",
      visibility: "published",
      permission: "audit.read",
      params: { day: shapes.day, n: shapes.number },
      returns: { ...shapes.entry, before: { type: "object", optional: true, props: shapes.entry } },
      async handler(this: Audit, ctx: Context<{ day: string; n: number }, Meta>) {
        const row = await this.store.one(ctx.params);
        if (!row) throw new Rejected("ENTRY_NOT_FOUND", "There is no such entry", 404, ctx.params);
        const entry = shown(this, ctx, row);
        const { resource } = entry;
        const [before] = entry.version !== undefined ? await this.store.find({ resource, before: row }, 1) : [];
        return { ...entry, ...(before && { before: shown(this, ctx, before) }) } as never;
      },
    }),
    roots: action({
      description: "What each day's chain comes to, with its signature and the key that it is checked by; today's so far",
      rest: "GET /roots",
      visibility: "published",
      permission: "audit.read",
      params: { limit: { type: "number", integer: true, min: 1, max: 1_000, convert: true, default: 31 } },
      returns: { key: "string", roots: { type: "array", items: { type: "object", props: shapes.root } } },
      async handler(this: Audit, ctx) {
        const ends = await this.store.ends(ctx.params.limit!);
        const roots = ends.map((row) => ({ day: row.day, n: row.n, chain: row.chain, ...sealOf(row) }));
        return { key: this.publicKey, roots };
      },
    }),
    /** From the nodes of the house: what they refused. Under ids of theirs, so that the same may come again. */
    report: action({
      visibility: "public",
      permission: ANYONE,
      params: { items: { type: "array", min: 1, max: AT_ONCE, items: { type: "object", props: shapes.report } } },
      returns: {},
      async handler(this: Audit, ctx) {
        const drafts = (ctx.params.items as Report[]).map((report) => reportedOf(ctx.nodeID!, report));
        await this.store.write(drafts, this.chained);
        return {};
      },
    }),
  },
  created() {
    const audit = this as unknown as Audit;
    const key = auditKeyOf(masterKey());
    audit.publicKey = publicText(key);
    audit.store = openAuditStore(audit.name);
    const foreign = ({ day, n }: { day: string; n: number }) =>
      audit.logger.error({ event: "audit.unsealed", day, n, says: "the trail ends with what this key has not signed" });
    audit.chained = chaining({ kid: kidOf(audit.publicKey), key }, Date.now, foreign);
  },
  async started() {
    const audit = this as unknown as Audit;
    audit.auditors = SOURCES.map((source) => new AuditFollower(audit, source, audit.store, audit.chained));
    for (const auditor of audit.auditors) {
      addFollower(audit, auditor.followerName, auditor);
      await auditor.start();
    }
  },
  async stopped() {
    const audit = this as unknown as Audit;
    await Promise.all((audit.auditors ?? []).map((auditor) => auditor.stop()));
    await audit.store.close();
  },
} satisfies ServiceSchema;
