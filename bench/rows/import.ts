import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { sampleBooks } from "../../services/imports/imports.sample.ts";
import { Histogram } from "../load/histogram.ts";
import type { Ask, Plan } from "../load/plan.ts";
import type { Measured } from "../report.ts";
import type { Bench } from "./bench.ts";

const ROOT = join(import.meta.dirname, "../..");
const REAL = { path: join(ROOT, "../shared/data/online_retail.csv.zst"), lines: 541_909 };
const SAMPLE_LINES = 50_000;
const DEALS = 4_000; // that are read
const FILTERS = 200; // customers and days that lists are asked for

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
  return [{ row: "import", system: "banyan", median: lines / seconds, p99: null, unit: "lines/s" }, ...(await readBooks(bench, dir))];
};

/** Gets and lists of what was imported, 32 in flight: any of 4,000 deals, first pages of the whole list and by customer, product and day. */
const readBooks = async ({ load, systems, progress }: Bench, dir: string): Promise<Measured[]> => {
  const server = await systems.startOn(dir);
  const deals: { id: string; saleParty: string; date: string }[] = [];
  for (let next: string | undefined = ""; next !== undefined && deals.length < DEALS; ) {
    type Page = { items: typeof deals; next?: string };
    const page: Page = await server.fetchJson<Page>(`/api/v1/deals?limit=200${next && `&after=${next}`}`);
    deals.push(...page.items);
    next = page.next;
  }
  const products: { items: { id: string }[] } = await server.fetchJson("/api/v1/products?limit=200");
  const list = (filter: string): Ask => ({ path: `/api/v1/deals?limit=20&${filter}`, marker: '"items":[' });
  const asks = {
    "get-books": deals.map(({ id }): Ask => ({ path: `/api/v1/deals/${id}`, marker: `"id":"${id}"` })),
    "list-books": [
      list("sort=-date"),
      ...deals.slice(0, FILTERS).map(({ saleParty }) => list(`party=${saleParty}`)),
      ...deals.slice(0, FILTERS).map(({ date }) => list(`from=${date}&sort=date`)),
      ...products.items.map(({ id }) => list(`product=${id}`)),
    ],
  };
  const measured: Measured[] = [];
  for (const [row, kinds] of Object.entries(asks)) {
    progress(`${row}: ${deals.length} deals`);
    const plan: Plan = { port: server.port, connections: 32, seconds: 4, work: { kind: "ask", asks: kinds } };
    const { answers, seconds, latencies, max } = await load.run(plan);
    const p99 = new Histogram(latencies, answers, max).percentile(0.99);
    measured.push({ row, system: "banyan", median: answers / seconds, p99, unit: "/s" });
  }
  await server.stop();
  return measured;
};

const sample = (path: string) => {
  const books = sampleBooks({ lines: SAMPLE_LINES });
  writeFileSync(path, books);
  return { path, lines: books.trimEnd().split("\n").length - 1 };
};
