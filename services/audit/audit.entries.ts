import { hash } from "node:crypto";
import type { User } from "../../mixins/core/context.ts";
import type { DomainEvent } from "../../mixins/core/model.ts";
import { hiddenFrom, type Roles, without } from "../../mixins/core/policy.ts";
import type { AuditRow } from "../../mixins/storage/audit-store.ts";
import type { Logged } from "../../mixins/storage/event-store.ts";
import { DROPPED, type Report } from "../../mixins/trust/refusals.ts";

/** What an entry says beside its day, number and time of writing. */
export interface Entry {
  readonly id: string;
  readonly at: number;
  /** `noted`: what the room says of itself. */
  readonly result: "accepted" | "refused" | "noted";
  readonly room: string;
  /** What was done: an event (`deals.DealConfirmed`) or, where no event tells, the action (`v1.auth.login`). */
  readonly action: string;
  /** All of the commit's events, where they are of several types. */
  readonly types?: readonly string[];
  /** `<room>/<id>`, and its version afterwards. */
  readonly resource?: string;
  readonly version?: number;
  readonly user?: string;
  readonly roles?: readonly string[];
  readonly session?: string;
  /** The address that the request came from. */
  readonly from?: string;
  readonly request?: string;
  /** What led to it: a saga, or another commit. */
  readonly cause?: string;
  readonly occurredAt?: number;
  /** Of a refusal: why, and how many alike there were from `at` to `until`. */
  readonly code?: string;
  readonly status?: number;
  readonly count?: number;
  readonly until?: number;
  /** Of what was reported: which node did. */
  readonly node?: string;
  /** What changed, as the events say it; where that is too much, its SHA-256 and its size as JSON: the record has it. */
  readonly change?: readonly DomainEvent[];
  readonly digest?: string;
  readonly bytes?: number;
  /** Of a document: it had been changed again before this was read, so what it was then is not known. */
  readonly covered?: true;
}

export type Draft = Entry & { readonly [field: string]: unknown };

/** Characters of a change that an entry holds itself. The record of events keeps them for ever; of a document it keeps the latest state only. */
const MOST_EVENTS = 1_500;
const MOST_DOCUMENT = 16_384;

/** A commit, as it is written down: one entry, whoever reads it how often; before it those that it has covered before anybody read them. */
export const entriesOf = (room: string, { past = [], ...commit }: Logged): Draft[] => [
  ...past.map(
    ({ id, type, by, at, ...rest }): Draft => ({
      id,
      at,
      result: "accepted",
      room,
      action: `${room}.${type}`,
      ...whatOf(room, commit.stream, by, rest),
      covered: true,
    }),
  ),
  entryOf(room, commit as Logged),
];

const whatOf = (
  room: string,
  stream: string,
  user: string | undefined,
  of: Pick<Logged, "version" | "session" | "from" | "request" | "cause">,
) => {
  const { version, session, from, request, cause } = of;
  return { resource: `${room}/${stream}`, version, user, session, from, request, cause };
};

const entryOf = (room: string, commit: Logged): Draft => {
  const { id, stream, events, by, at, occurredAt } = commit;
  const types = [...new Set(events.map(({ type }) => type))];
  const change = JSON.stringify(events);
  const small = change.length <= ("document" in (events[0] ?? {}) ? MOST_DOCUMENT : MOST_EVENTS);
  return {
    ...{ id, at, result: "accepted", room, action: `${room}.${types[0] ?? "nothing"}` },
    ...(types.length > 1 && { types }),
    ...whatOf(room, stream, by, commit),
    ...(occurredAt !== at && { occurredAt }),
    ...(small ? { change: events } : { digest: hash("sha256", change, "hex"), bytes: Buffer.byteLength(change) }),
  };
};

/** What a node says that it has refused, or done without an event. The id is no commit's and no other node's, whatever it names. */
export const reportedOf = (node: string, { count, ...report }: Report): Draft => ({
  ...report,
  id: `report ${node} ${report.id}`,
  room: report.action === DROPPED ? "audit" : report.action.split(".")[1]!,
  ...(count > 1 && { count }),
  node,
});

export interface Shown extends Omit<Entry, "at" | "occurredAt" | "until"> {
  readonly day: string;
  readonly n: number;
  readonly at: string;
  readonly written: string;
  readonly occurredAt?: string;
  readonly until?: string;
}

const text = (time: number) => new Date(time).toISOString();

/** An entry as its reader sees it; without what he does not see of that room's answers either. */
export const shownTo = (user: User | undefined, roles: Roles, { body }: AuditRow): Shown => {
  const { at, written, occurredAt, until, change, ...rest } = JSON.parse(body) as Entry & { day: string; n: number; written: number };
  const hidden = change && hiddenFrom(user, rest.room, roles);
  return {
    ...rest,
    at: text(at),
    written: text(written),
    ...(occurredAt !== undefined && { occurredAt: text(occurredAt) }),
    ...(until !== undefined && { until: text(until) }),
    ...(change && { change: hidden ? without(change, hidden) : change }),
  };
};
