import { randomUUID } from "node:crypto";
import { openEventStore } from "../../../mixins/storage/open.ts";
import { dealRequest } from "../../deals.ts";
import { printRounds, type Work } from "./rounds.ts";

/** Durable commits of one event: to a new stream each, or all to one, each decided on the one before it; 64 in flight. */
const IN_FLIGHT = 64;

const store = openEventStore("bench");
const { lines, ...header } = dealRequest(1, 1);
const event = { type: "DealOpened", ...header, lines };
let count = 0;

const append = async (stream: string, version: number, id: string, after: string | undefined, took: (ms: number) => void) => {
  const at = Date.now();
  const start = performance.now();
  await store.append({ id, stream, version, ...(after && { after }), events: [event], at, occurredAt: at });
  took(performance.now() - start);
};

const toNew: Work = async (again, took) => {
  const worker = async () => {
    while (again()) await append(`stream-${++count}`, 1, randomUUID(), undefined, took);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
};

let last: string | undefined;
const toOne: Work = async (again, took) => {
  const worker = async () => {
    while (again()) {
      const after = last;
      last = randomUUID();
      await append("hot", ++count, last, after, took);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
};

const row = process.argv[2]!;
await printRounds(row, { banyan: row === "append-hot" ? toOne : toNew });
let there = "";
for (let before: string | undefined; there !== before; ) [before, there] = [there, (await store.record(there, 10_000)).next];
if (Number(there) !== count) throw new Error(`${count} were acknowledged and ${there} are there`);
await store.close();
