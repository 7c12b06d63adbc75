import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { folder, HOUSE } from "./system.ts";

type Edit = readonly [file: string, before: string, after: string];

/** The next version of the deals room: an event type and a command, a field of an older event, and what follows from both in its state. */
const EDITS: readonly Edit[] = [
  ["deals.events.ts", "export interface Header {", "export interface Header {\n  channel?: string;"],
  ["deals.events.ts", "export type DealEvent =", 'export type DealEvent =\n  | { type: "DealRated"; stars: number }'],
  [
    "deals.domain.ts",
    "export interface Deal extends Header, Keeping {",
    "export interface Deal extends Header, Keeping {\n  stars?: number;",
  ],
  ["deals.domain.ts", "dealModel: Model<Deal, DealEvent> = {", "dealModel: Model<Deal, DealEvent> = {\n  snapshot: 2,"],
  ["deals.domain.ts", 'case "NoteAdded":', 'case "DealRated":\n        return { ...deal, stars: event.stars };\n      case "NoteAdded":'],
  [
    "deals.domain.ts",
    "export function addNote(",
    'export function rate(stars: number): DealCommand {\n  return (deal) => {\n    requireThere(deal);\n    return [{ type: "DealRated", stars }];\n  };\n}\n\nexport function addNote(',
  ],
  ["deals.views.ts", "    NoteAdded:", "    DealRated: (deal, _, { version }) => change(deal, version, {}),\n    NoteAdded:"],
  [
    "deals.shown.ts",
    "    notes,\n",
    "    notes,\n    ...(deal.stars !== undefined && { stars: deal.stars }),\n    ...(deal.channel && { channel: deal.channel }),\n",
  ],
  [
    "deals.params.ts",
    '  notes: { type: "array", items: "string" },',
    '  notes: { type: "array", items: "string" },\n  stars: "number|optional",\n  channel: "string|optional",',
  ],
  ["deals.service.ts", "addNote, addSource,", "addNote, addSource, rate,"],
  [
    "deals.service.ts",
    "open({ saleParty, country: country!, currency, date, ...keeping }, lines)",
    'open({ saleParty, country: country!, currency, date, ...keeping, channel: "web" }, lines)',
  ],
  [
    "deals.service.ts",
    "    addNote: action({",
    '    rate: action({\n      rest: "POST /:id/rating",\n      visibility: "published", permission: "anyone",\n      params: { id, stars: "number|integer|min:1|max:5" },\n      returns: shapes.deal,\n      async handler(this: Deals, ctx) {\n        return shown(await this.act(ctx, ctx.params.id, rate(ctx.params.stars)));\n      },\n    }),\n    addNote: action({',
  ],
];

/** A checkout of the house as its next version would be, gone when the test ends. */
export const nextVersion = (t: TestContext): string => {
  const next = folder(t);
  for (const part of ["mixins", "services", "docs", "start.ts", "moleculer.config.ts", "package.json"]) {
    cpSync(join(HOUSE, part), join(next, part), { recursive: true });
  }
  symlinkSync(join(HOUSE, "node_modules"), join(next, "node_modules"));
  for (const [file, before, after] of EDITS) {
    const path = join(next, "services/deals", file);
    const text = readFileSync(path, "utf8");
    if (text.split(before).length !== 2) throw new Error(`${file} does not have this once: ${before}`);
    writeFileSync(
      path,
      text.replace(before, () => after),
    );
  }
  return next;
};
