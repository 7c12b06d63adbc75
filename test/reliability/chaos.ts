import { parseArgs } from "node:util";
import { missing } from "../servers/install.ts";
import { runChaos } from "./chaos.run.ts";
import type { FaultKind } from "./chaos.schedule.ts";

const HELP = `npm run test:chaos -- [--seed N] [--minutes M] [--nodes N] [--only KIND,KIND] [--verbose]

A cluster of real processes on 127.0.0.1: nodes (two with a gateway), three NATS servers, MongoDB, Redis. Clients write and read
while faults strike; then everything that clients were told is held against what is there. Exit code 1 where a promise was broken;
the nodes' logs are kept, and the report says where.

  --seed N      which faults strike when, and what clients want; a new one where it is not given. What a fault meets is the
                machine's to decide, so a seed comes near a failure again, and does not repeat it
  --seeds N     so many runs, with this seed and the ones after it; 1
  --minutes M   how long clients work; 2
  --nodes N     3
  --only KIND   only faults of these kinds, with commas between them: kill, stop (SIGTERM), pause (SIGSTOP), cut, part, slow,
                mongo, redis, nats, rebuild; none for no faults
  --verbose     tells each fault, and all breaches`;

const SHOWN = 12;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    seeds: { type: "string", default: "1" },
    minutes: { type: "string", default: "2" },
    nodes: { type: "string", default: "3" },
    only: { type: "string" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const [seed, seeds, minutes, nodes] = [values.seed, values.seeds, values.minutes, values.nodes].map(Number) as [
  number,
  number,
  number,
  number,
];
if (!Number.isInteger(seed) || !(seeds >= 1) || !(minutes > 0) || !(Number.isInteger(nodes) && nodes >= 2)) {
  console.error(`--seed, --seeds and --nodes are whole numbers, --minutes is one above 0, and there are two nodes at least.\n\n${HELP}`);
  process.exit(2);
}
const lacking = missing();
if (lacking.length > 0) {
  console.error(`It takes ${lacking.join(" and ")}, which is not here: npm run servers -- --install`);
  process.exit(2);
}
const only = values.only?.split(",").filter((kind) => kind !== "none") as FaultKind[] | undefined;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1)); // takes all that was started with it

const list = (counts: Record<string, number>) =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

let broken = 0;
for (let n = seed; n < seed + seeds; n++) {
  console.log(`seed ${n}: ${minutes} minutes, ${nodes} nodes`);
  const report = await runChaos({ seed: n, minutes, nodes, only, ...(values.verbose && { tell: (line) => console.log(`  ${line}`) }) });
  const { breaches, faults, ops, answers, commits, sagas, settling, silence, seconds, dir } = report;
  console.log(`  ${breaches.length === 0 ? "KEPT" : `BROKEN ${breaches.length} times`} after faults: ${list(faults) || "none"}`);
  console.log(`  ${ops} ops: ${list(answers)}; ${commits} commits, ${sagas} sagas`);
  console.log(`  longest without an acknowledged write ${silence} ms; settled and inspected in ${settling} ms; ${seconds} s in all`);
  for (const breach of values.verbose ? breaches : breaches.slice(0, SHOWN)) console.log(`  ! ${breach}`);
  if (breaches.length > SHOWN && !values.verbose) console.log(`  … and ${breaches.length - SHOWN} more (--verbose)`);
  if (breaches.length > 0) console.log(`  logs: ${dir}; again: npm run test:chaos -- --seed ${n} --minutes ${minutes} --nodes ${nodes}`);
  broken += breaches.length;
}
process.exit(broken > 0 ? 1 : 0);
