import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { missing, type ServerName } from "./servers/install.ts";
import { type Server, startServer } from "./servers/start.ts";

/**
 * `npm test`: everything in one process's setting, then what is true of both settings on the servers of a cluster: those
 * that the environment names, or that are installed here. `npm test -- embedded` or `-- cluster` runs one of them.
 */
const HOUSE = resolve(import.meta.dirname, "..");
const VARIABLES = { nats: "TRANSPORTER", mongo: "MONGO_URL", redis: "REDIS_URL" } as const;
const ALL = ["services/**/*.test.ts", "mixins/**/*.test.ts", "test/**/*.test.ts"];

/** Clusters of many processes: one at a time, or they would starve each other on a small machine. */
const ALONE = [
  "test/integration/{backup.cluster,deals.nodes,migrate,nodes,nodes.stop,rolling,sagas.takeover}.test.ts",
  "test/reliability/{chaos,lost-consumer}.test.ts",
];

/** What runs in both settings. */
const BOTH = [
  "mixins/*.test.ts",
  "mixins/storage/{cursor,lease,saga}-store.test.ts",
  "services/*/*.service.test.ts",
  "services/imports/imports.run.test.ts",
  "test/integration/*.test.ts",
  "test/reliability/reservations.test.ts",
  "test/security/*.test.ts",
];

/** What of that speaks of one process only, and why. */
const LEFT_OUT: Record<string, string> = {
  "test/integration/backup.test.ts": "is about the files of one process",
  "test/integration/start.test.ts": "is about one process and its folder",
  "test/integration/gateway.stop.test.ts": "is about one process",
  "test/security/cookies.test.ts": "is about the door, which is the same in both",
  "test/security/limits.test.ts": "is about the door, which is the same in both",
  "test/security/providers.test.ts": "is about one room and the world outside",
  "test/security/foreign-tokens.test.ts": "is about one node and the world outside; test/integration/foreign.nodes.test.ts has several",
};

/** What starts servers of its own has run on them in the first pass. */
const bringsServers = (file: string): boolean => /\b(startServer|useServers|settleOnMongo)\b/.test(readFileSync(join(HOUSE, file), "utf8"));

const test = async (files: readonly string[], env: Record<string, string | undefined>, atOnce = 3): Promise<number> => {
  const options = ["--test", `--test-concurrency=${atOnce}`, "--test-timeout=240000"];
  const args = ["--import", "./mixins/runtime/needs-node-26.js", ...options, ...files];
  const child = spawn(process.execPath, args, { cwd: HOUSE, env, stdio: "inherit" });
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? 1;
};

const without = (names: readonly string[]) => Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)));

const embedded = async (): Promise<number> => {
  const env = without(Object.values(VARIABLES));
  const alone = globSync(ALONE, { cwd: HOUSE }).sort();
  const files = globSync(ALL, { cwd: HOUSE }).filter((file) => !file.includes("node_modules") && !alone.includes(file));
  console.log("One process, nothing installed, and each driver on its own:\n");
  const first = await test(files.sort(), env);
  console.log("\nClusters of many processes, one at a time:\n");
  return Math.max(first, await test(alone, env, 1));
};

const cluster = async (): Promise<number> => {
  const needed: ServerName[] = ["nats", "mongo"];
  const lacking = needed.filter((name) => !process.env[VARIABLES[name]] && missing().includes(name));
  if (lacking.length > 0) {
    console.log(
      `\nLeft out: the cluster, for ${lacking.join(" and ")} is not here. npm run servers -- --install, then npm test -- cluster`,
    );
    return 0;
  }
  const env: Record<string, string | undefined> = without(["REDIS_URL"]);
  env.BUS_MAX_MEGABYTES = "16"; // JetStream sets aside what a stream may take, and every test has streams of its own
  env.NODE_OPTIONS = `--import=${join(HOUSE, "test/support/cluster.setting.js")}`;
  const started: Server[] = [];
  for (const name of needed) {
    if (env[VARIABLES[name]]) continue;
    const server = await startServer(name);
    started.push(server);
    env[VARIABLES[name]] = server.url;
  }
  console.log(`\nOn a cluster's servers, ${needed.map((name) => env[VARIABLES[name]]).join(" and ")}, without`);
  for (const [file, why] of Object.entries(LEFT_OUT)) console.log(`  ${file}, which ${why}`);
  console.log("  what brings servers of its own, and has run on them already\n");
  const files = globSync(BOTH, { cwd: HOUSE })
    .filter((file) => !LEFT_OUT[file] && !bringsServers(file))
    .sort();
  try {
    return await test(files, env);
  } finally {
    await Promise.all(started.map((server) => server.stop()));
  }
};

const [only] = process.argv.slice(2);
const codes = [only === "cluster" ? 0 : await embedded(), only === "embedded" ? 0 : await cluster()];
process.exit(Math.max(...codes));
