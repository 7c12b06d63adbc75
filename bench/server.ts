import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { authorization, keys } from "./credentials.ts";

const PATIENCE = 60_000;
const canPin = process.platform === "linux" && spawnSync("taskset", ["-c", "0,1", "true"]).status === 0;

/** The command, held to one core where the machine can do that: the server has one, the client the other. */
export const pinned = (core: number, command: string, args: string[]): [string, string[]] =>
  canPin ? ["taskset", ["-c", String(core), command, ...args]] : [command, args];

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
};

export interface Program {
  args: string[];
  cwd: string;
  env?: Record<string, string>;
}

const isReady = (port: number) =>
  new Promise<boolean>((resolve) => {
    get({ port, host: "127.0.0.1", path: "/health/ready", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on("error", () => resolve(false));
  });

/** A server in a process of its own, on a port that was free, with its log in a file beside its data. */
export class Server {
  static readonly #running = new Set<Server>();

  static async start({ args, cwd, env }: Program, dir: string): Promise<Server> {
    mkdirSync(dir, { recursive: true });
    const port = await freePort();
    const log = openSync(join(dir, "..", "server.log"), "a");
    const start = performance.now();
    const [command, all] = pinned(0, process.execPath, args);
    const settings = { PORT: String(port), HOST: "127.0.0.1", DATA_DIR: dir, LOG_LEVEL: "info", RATE_LIMIT: "10000000", ...keys, ...env };
    const server = new Server(
      port,
      spawn(command, all, { cwd, env: { PATH: process.env.PATH, NODE_ENV: "production", ...settings }, stdio: ["ignore", log, log] }),
    );
    Server.#running.add(server);
    while (!(await isReady(port))) {
      if (server.#process.exitCode !== null || performance.now() - start > PATIENCE) {
        throw new Error(`${args.at(-1)} did not start: ${readFileSync(join(dir, "..", "server.log"), "utf8").slice(-1_000)}`);
      }
      await delay(4);
    }
    server.startMs = performance.now() - start;
    return server;
  }

  /** Ends what still runs: a failed bench leaves nothing behind. */
  static async stopAll() {
    await Promise.all([...Server.#running].map((server) => server.stop()));
  }

  readonly port: number;
  readonly #process: ChildProcess;
  /** Milliseconds from the start of the process to its first yes at /health/ready. */
  startMs = 0;

  private constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  /** Memory that it holds, in MB (10^6 bytes). */
  get rss(): number {
    const answer = spawnSync("ps", ["-o", "rss=", "-p", String(this.#process.pid)], { encoding: "utf8" });
    return (Number(answer.stdout) * 1024) / 1e6;
  }

  /** Whether a GET of this path is answered well. */
  async answers(path: string): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers: { authorization } });
    await response.body?.cancel();
    return response.ok;
  }

  async fetchJson<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers: { authorization } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json() as T;
  }

  /** Waits until it has nothing left to do, so that what it put off is not paid by the next system; answers the milliseconds. */
  async quiet(): Promise<number> {
    const start = performance.now();
    for (let before = this.cpu; ; ) {
      await delay(100);
      const now = this.cpu;
      if (now - before < 0.02 || performance.now() - start > 30_000) return performance.now() - start - 100;
      before = now;
    }
  }

  async stop() {
    Server.#running.delete(this);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGTERM");
    const ended = once(this.#process, "exit");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  }

  /** Seconds of CPU time that it has taken so far; always 0 where the machine does not tell. */
  get cpu(): number {
    if (process.platform !== "linux") return 0;
    const fields = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100; // in the kernel's ticks, of which there are 100 a second
  }
}
