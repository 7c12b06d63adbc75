import { parseArgs } from "node:util";
import { cases, runCase } from "./cases.ts";

const HELP = `npm run test:crash -- [--runs N] [--seed N] [--only CASE,CASE]

Kills processes of the system during writes, N times in each case, and holds everything that clients were told against
what is there in the end. Exit code 1 where a promise was broken; the files of that case are kept, and the report says where.

  --runs N     kills in each case; 50
  --seed N     which choices are made; a new one where it is not given. What a kill meets is the machine's to decide,
               so a seed comes near a failure again, and does not repeat it
  --only CASE  only these cases, with commas between them
  --verbose    tells all breaches, not only the first ones

Cases:
${Object.entries(cases)
  .map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`)
  .join("\n")}`;

const SHOWN = 12;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "50" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", default: Object.keys(cases).join() },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const [runs, seed] = [Number(values.runs), Number(values.seed)];
const names = values.only.split(",") as (keyof typeof cases)[];
const wrong = names.filter((name) => !(name in cases));
if (!Number.isInteger(runs) || !Number.isInteger(seed) || runs < 0 || wrong.length > 0) {
  console.error(wrong.length > 0 ? `There is no case ${wrong.join(", ")}.\n` : "--runs and --seed are whole numbers.\n");
  console.error(HELP);
  process.exit(2);
}

console.log(`seed ${seed}, ${runs} runs each of ${names.join(", ")}`);
let broken = 0;
for (const [i, name] of names.entries()) {
  const { isTTY } = process.stderr;
  const progress = (run: number) => {
    if (isTTY) process.stderr.write(`\r${name} ${run}/${runs} `);
    else if (run % 10 === 0) process.stderr.write(`${name} ${run}/${runs}\n`);
  };
  const report = await runCase(cases[name], { runs, seed: seed + i, progress });
  if (isTTY) process.stderr.write("\r\x1b[K");
  const { breaches, kills, pauses, ops, answers, commits, sagas, seconds, dir } = report;
  const outcomes = Object.entries(answers).map(([outcome, count]) => `${count} ${outcome}`);
  console.log(`${name}: ${breaches.length === 0 ? "kept" : `BROKEN ${breaches.length} times`} (${cases[name].about})`);
  console.log(`  ${kills} kills, ${pauses} pauses, ${ops} ops: ${outcomes.join(", ")}; ${commits} commits, ${sagas} sagas; ${seconds} s`);
  for (const breach of values.verbose ? breaches : breaches.slice(0, SHOWN)) console.log(`  ! ${breach}`);
  if (breaches.length > SHOWN && !values.verbose) console.log(`  … and ${breaches.length - SHOWN} more (--verbose)`);
  if (breaches.length > 0) console.log(`  files: ${dir}; again: npm run test:crash -- --runs ${runs} --seed ${seed + i} --only ${name}`);
  broken += breaches.length;
}
process.exit(broken > 0 ? 1 : 0);
