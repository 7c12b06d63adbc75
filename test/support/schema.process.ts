import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A node of a room whose schema's steps write down that they ran. The second one waits as long as the file `hold` is there. */
const [room, journal, hold] = process.argv.slice(2) as [string, string, string];
const { bringUp } = await import("../../mixins/schema.ts");
const note = (line: string) => appendFileSync(journal, `${line}\n`);
await bringUp(room, [
  { number: 1, kind: "expand", says: "writes one", run: async () => note("1") },
  {
    number: 2,
    kind: "expand",
    says: "writes two, at its leisure",
    run: async () => {
      note("2 begins");
      while (existsSync(hold)) await delay(10);
      await delay(100);
      note("2");
    },
  },
  { number: 3, kind: "contract", says: "writes three", run: async () => note("3") },
]);
process.exit(0);
