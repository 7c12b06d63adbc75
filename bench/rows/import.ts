import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { sampleBooks } from "../../services/imports/imports.sample.ts";
import type { Measured } from "../report.ts";
import type { Bench } from "./bench.ts";

const ROOT = join(import.meta.dirname, "../..");
const REAL = { path: join(ROOT, "../shared/data/online_retail.csv.zst"), lines: 541_909 };
const SAMPLE_LINES = 50_000;

/** `npm run import` from its start to its end, on an empty folder and all cores, once: the real file, or the sample where that is not there. */
export const importBooks = async (bench: Bench): Promise<Measured[]> => {
  const dir = bench.systems.folder("import");
  mkdirSync(dir, { recursive: true });
  const { path, lines } = existsSync(REAL.path) ? REAL : sample(join(dir, "..", "sample.csv"));
  bench.progress(`import: ${lines} lines`);
  const start = performance.now();
  const child = spawn("npm", ["run", "--silent", "import", "--", path], {
    cwd: ROOT,
    env: { ...process.env, DATA_DIR: dir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [said, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  const seconds = (performance.now() - start) / 1_000;
  if (code !== 0) throw new Error(`the import ended with ${code}: ${complaints.slice(-2_000)}`);
  if (path === REAL.path && !/9747747\.934\b/.test(said))
    throw new Error(`the import does not say that the books hold 9747747.934: ${said}`);
  bench.progress(`import: ${seconds.toFixed(1)} s`);
  return [{ row: "import", system: "banyan", median: lines / seconds, p99: null, unit: "lines/s" }];
};

const sample = (path: string) => {
  const books = sampleBooks({ lines: SAMPLE_LINES });
  writeFileSync(path, books);
  return { path, lines: books.trimEnd().split("\n").length - 1 };
};
