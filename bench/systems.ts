import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SEEDED, seedDeal, seedId } from "./deals.ts";
import type { Load } from "./load/load.ts";
import { type Program, Server } from "./server.ts";

export const SYSTEMS = ["banyan", "express-sequelize", "express-sql", "node-http"] as const;
export type SystemName = (typeof SYSTEMS)[number];

const ROOT = join(import.meta.dirname, "..");
const LATEST = 64; // as many as were in flight: of these the view may not have seen each

const answer = () => {
  const { lines, ...header } = seedDeal(0);
  const priced = lines.map((line, n) => ({ id: String(n + 1), ...line, warehouse: "main", kind: "goods", amount: "1.1" }));
  return JSON.stringify({ version: 1, status: "open", ...header, amount: "3.3", lines: priced, returns: [], notes: [] });
};

const peer = (name: string, file: string, env = {}): Program => ({ cwd: join(import.meta.dirname, "peers", name), args: [file], env });

/** As `npm start` starts it: `exec node …`. */
export const START: string[] = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"))
  .scripts.start.split(" ")
  .slice(2);

const PROGRAMS: Record<SystemName, Program> = {
  banyan: { cwd: ROOT, args: START },
  "express-sequelize": peer("express-sequelize", "server.js"),
  "express-sql": peer("express-sql", "server.js"),
  "node-http": peer("node-http", "server.ts", { BODY: answer() }),
};

/** Installs what a peer needs, from its lock file. */
export const install = ({ cwd }: Program) => {
  if (!existsSync(join(cwd, "package.json")) || existsSync(join(cwd, "node_modules"))) return;
  const { status, stderr } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd, encoding: "utf8" });
  if (status === 0) return;
  rmSync(join(cwd, "node_modules"), { recursive: true, force: true });
  throw new Error(`npm ci in ${cwd}: ${stderr}`);
};

/** The systems that a run compares, each with its program, and a seeded folder that is made once and copied for each row. */
export class Systems {
  readonly #dir: string;
  readonly #load: Load;
  readonly #progress: (text: string) => void;
  /** Where profiles go, if they are asked for. */
  readonly profiles?: string;
  #count = 0;

  constructor(dir: string, load: Load, progress: (text: string) => void, profiles?: string) {
    this.profiles = profiles;
    this.#dir = dir;
    this.#load = load;
    this.#progress = progress;
  }

  /** Starts a system on a folder of its own: empty, or with the seeded deals. */
  async start(name: SystemName, seeded = false): Promise<Server> {
    const program = PROGRAMS[name];
    install(program);
    const dir = this.folder(name);
    if (seeded && name !== "node-http") cpSync(await this.#seeded(name), dir, { recursive: true });
    const profile = this.profiles && name === "banyan" ? ["--cpu-prof", `--cpu-prof-dir=${this.profiles}`] : [];
    return Server.start({ ...program, args: [...profile, ...program.args] }, dir);
  }

  /** Starts Banyan on what is in a folder already. */
  startOn(dir: string): Promise<Server> {
    return Server.start(PROGRAMS.banyan, dir);
  }

  folder(name: string): string {
    return join(this.#dir, `${name}-${++this.#count}`, "data");
  }

  async #seeded(name: SystemName): Promise<string> {
    const dir = join(this.#dir, `${name}-seeded`, "data");
    if (existsSync(dir)) return dir;
    this.#progress(`${name}: ${SEEDED} deals`);
    const program = PROGRAMS[name];
    const server = await Server.start(name === "banyan" ? program : { ...program, env: { ...program.env, SEED: String(SEEDED) } }, dir);
    if (name === "banyan") await this.#post(server);
    await server.stop();
    return dir;
  }

  /** Banyan is given the deals as anybody gives it deals; it has them when its list has seen the last ones. */
  async #post(server: Server) {
    const deals = Array.from({ length: SEEDED }, (_, n) => seedDeal(n));
    await this.#load.run({ port: server.port, connections: LATEST, seconds: 120, work: { kind: "post", deals } });
    for (let n = SEEDED - LATEST; n < SEEDED; n++) await server.fetchJson(`/api/v1/deals?limit=1&seen=${seedId(n)}@1`);
  }
}
