import { config } from "./runtime/config.ts";
import { schemaOf } from "./runtime/declared.ts";
import { Examination, type Finding } from "./runtime/examination.ts";
import { allRooms } from "./runtime/node.ts";
import { whatOutdates } from "./schema.ts";
import { lookAtSteps } from "./storage/open.ts";
import type { RanStep, SchemaStep } from "./storage/schema-store.ts";

/** What has become of each room's store: which steps of its schema have run, when, and which will. */
export const examineSchemas = async (): Promise<Finding[]> => {
  const schema = new Examination("schema");
  const own = !config.mongoUrl && config.rooms.length > 0; // in a cluster every room's database can be looked at from everywhere
  const rooms = allRooms().filter((room) => !own || config.rooms.includes(room));
  for (const room of rooms) {
    const steps = await schemaOf(room);
    const ran = await schema.ask(`${room}: which steps have run`, () => lookAtSteps(room));
    if (!ran) return schema.findings; // the next one could not be asked either
    tellOf(schema, room, steps, ran);
  }
  return schema.findings;
};

const tellOf = (schema: Examination, room: string, steps: readonly SchemaStep[], ran: readonly RanStep[]) => {
  const outdated = whatOutdates(steps, ran);
  if (outdated) schema.wrong(`${room}: ${outdated}`);
  for (const { number, kind, says, at } of ran) {
    const ours = number === 0 || steps.some((step) => step.number === number); // 0 is the sealing of what was there, which no room declares
    const newer = ours ? "" : ", by a newer version";
    schema.ok(`${room} ${number} (${kind}) ran ${new Date(at).toISOString()}${newer}: ${says}`);
  }
  for (const { number, kind, says } of steps) {
    if (ran.some((step) => step.number === number)) continue;
    schema.ok(`${room} ${number} (${kind}) is pending, and runs when a node of the room starts: ${says}`);
  }
};
