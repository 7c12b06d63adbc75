import { randomUUIDv7 } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Lease } from "./runtime/lease.ts";
import { Refused } from "./runtime/refused.ts";
import { openLeaseStore, openSchemaStore } from "./storage/open.ts";
import type { Document } from "./storage/query.ts";
import type { RanStep, SchemaRoom, SchemaStep } from "./storage/schema-store.ts";

const LOOK = 100; // milliseconds between two looks at what the node that holds the lock has done
const PAGE = 500;

/**
 * Brings a room's store up to what this version of it knows: what has not run yet runs, in order, on one node at a time.
 * Throws `Refused` where a newer version has taken away what this one needs.
 */
export const bringUp = async (room: string, steps: readonly SchemaStep[], told: (step: SchemaStep) => void = () => {}): Promise<void> => {
  checkNumbers(room, steps);
  const store = openSchemaStore(room);
  try {
    const pending = async () => {
      const ran = await store.ran();
      const outdated = whatOutdates(steps, ran);
      if (outdated) throw new Refused(`${room}: ${outdated}`);
      return steps.filter(({ number }) => !ran.some((step) => step.number === number));
    };
    if ((await pending()).length === 0) return;
    const leases = openLeaseStore(room);
    const lease = new Lease(leases, "schema");
    try {
      await lease.open();
      while (!lease.held && (await pending()).length > 0) await delay(LOOK);
      for (const step of await pending()) {
        await step.run(store);
        const { number, kind, says } = step;
        await store.note({ number, kind, says, since: leastOf(step), at: Date.now() });
        told(step);
      }
    } finally {
      await lease.close();
      await leases.close();
    }
  } finally {
    await store.close();
  }
};

/** Why this version cannot run on what the steps have made of the store; undefined where it can. */
export const whatOutdates = (steps: readonly SchemaStep[], ran: readonly RanStep[]): string | undefined => {
  const known = Math.max(0, ...steps.map(({ number }) => number));
  const beyond = ran.find(({ since }) => since > known);
  return (
    beyond &&
    `step ${beyond.number} of a newer version (${beyond.says}) has taken away what this version needs; it knows steps to ${known}: start a newer one`
  );
};

/**
 * Changes documents one by one, each as a write of its own: it takes the next version and leaves an event, as a change by anybody
 * would. `change` answers the document as it shall be, or undefined where it may stay, as it may when it comes again.
 */
export const changeDocuments = async (room: SchemaRoom, change: (document: Document) => Document | undefined): Promise<void> => {
  const documents = room.documents();
  for (let after = ""; ; ) {
    const { commits, next } = await documents.record(after, PAGE);
    for (const { stream: id, events } of commits) {
      await documents.write(() => {
        const found = documents.look(id);
        const changed = found && !found.removed && change(found.document);
        if (!changed) return;
        const now = Date.now();
        documents.put(changed, { id: randomUUIDv7(), type: events[0]!.type, cause: "schema", at: now, occurredAt: now });
      });
    }
    if (next === after) return;
    after = next;
  }
};

const leastOf = ({ number, kind, since }: SchemaStep): number => (kind === "contract" ? (since ?? number) : 0);

const checkNumbers = (room: string, steps: readonly SchemaStep[]) => {
  for (const [i, { number }] of steps.entries()) {
    if (number !== i + 1) throw new Error(`${room}: its schema's steps are numbered 1, 2, 3 …; step ${i + 1} is called ${number}`);
  }
};
