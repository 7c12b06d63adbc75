import { once } from "node:events";
import { ServiceBroker } from "moleculer";
import { collection } from "./collection.mixin.ts";

/** A process of its own for `collection.crash.test.ts`: starts a room on `DATA_DIR`, waits for a line, then writes under the keys it is told. */
export const startNotes = async () => {
  const broker = new ServiceBroker({ logger: false });
  broker.createService(
    collection({
      name: "notes",
      entity: "Note",
      fields: { title: "string", stars: "number|default:0" },
      sorts: ["title"],
      folded: "title",
    }),
  );
  await broker.start();
  return broker;
};

export interface Answer {
  n: number;
  created: { id: string; version: number };
  updated: { id: string; version: number; stars: number };
}

/** Creates a note under its own key, and changes it under another one. */
export const writeNote = async (broker: ServiceBroker, n: number): Promise<Answer> => {
  const ask = (action: string, key: string, params: object) =>
    broker.call(`v1.notes.${action}`, params, { meta: { user: { id: "u", roles: [] }, idempotencyKey: key } });
  const created = (await ask("create", `create-${n}`, { title: `note ${n}` })) as Answer["created"];
  const updated = (await ask("update", `update-${n}`, { id: created.id, stars: n + 1 })) as Answer["updated"];
  return { n, created, updated };
};

if (import.meta.main) {
  const [from, to, atOnce] = process.argv.slice(2).map(Number) as [number, number, number];
  const broker = await startNotes();
  process.stdout.write("ready\n");
  await once(process.stdin, "data");
  let next = from;
  const work = async () => {
    while (next < to) process.stdout.write(`${JSON.stringify(await writeNote(broker, next++))}\n`);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await broker.stop();
  process.exit(0);
}
