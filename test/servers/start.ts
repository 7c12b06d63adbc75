import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endWithUs } from "../support/children.ts";
import { recipes, type ServerName } from "./install.ts";

/** A server of ours on a port of 127.0.0.1, with its data in a folder that outlives a restart. */
export interface Server {
  readonly name: ServerName;
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Ends it and forgets its data. */
  stop(): Promise<void>;
  /** Ends it as an operator does (SIGTERM), or as a crash does, and leaves its data. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again where it was. */
  again(): Promise<void>;
  /** Holds it still, and lets it go on. */
  signal(signal: NodeJS.Signals): void;
}

export interface StartOptions {
  port?: number;
  /** Where it keeps its data; a folder of its own, gone when it stops, where nothing is said. */
  folder?: string;
  args?: readonly string[];
}

const PATIENCE = 20_000;

/** Below the ports that the system gives to connections that go out: one of those could take it before it is listened on, or while its server is away. */
const [LOWEST, HIGHEST] = [10_000, 32_000];

export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    const server = createServer().listen(port, "127.0.0.1");
    const listening = await once(server, "listening").then(
      () => true,
      () => false, // taken
    );
    if (!listening) continue;
    server.close();
    await once(server, "close");
    return port;
  }
};

const argsOf: Record<ServerName, (port: number, folder: string, program: string) => string[]> = {
  nats: (port, folder) => ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder],
  redis: (port) => ["--port", String(port), "--bind", "127.0.0.1", "--save", ""],
  mongo: (port, folder, program) =>
    program === "mongod"
      ? ["--bind_ip", "127.0.0.1", "--port", String(port), "--dbpath", folder]
      : [String(port), join(folder, "mongo.h2")],
};

export const urlOf: Record<ServerName, (port: number) => string> = {
  nats: (port) => `nats://127.0.0.1:${port}`,
  redis: (port) => `redis://127.0.0.1:${port}`,
  mongo: (port) => `mongodb://127.0.0.1:${port}`,
};

/** Starts a server that is installed here and resolves when it answers. */
export const startServer = async (name: ServerName, options: StartOptions = {}): Promise<Server> => {
  const found = recipes[name].found();
  if (!found) throw new Error(`${name} is not installed here: npm run servers -- --install`);
  const [program, ...first] = found as [string, ...string[]];
  const port = options.port ?? (await freePort());
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), `banyan-${name}-`));
  mkdirSync(folder, { recursive: true });
  let child: ChildProcess | undefined;
  const again = async () => {
    const args = [...first, ...argsOf[name](port, folder, basename(program)), ...(options.args ?? [])];
    child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], cwd: folder });
    const own = child;
    let said = "";
    own.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2_000);
    });
    endWithUs(own);
    for (const start = Date.now(); !(await answers(port)); await delay(20)) {
      if (own.exitCode !== null || own.signalCode !== null) throw new Error(`${name} ended with ${own.exitCode}: ${said}`);
      if (Date.now() - start > PATIENCE) throw new Error(`${name} does not answer on ${port}: ${said}`);
    }
  };
  const end = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "close");
    child.kill(signal);
    await closed;
  };
  await again();
  return {
    name,
    url: urlOf[name](port),
    port,
    folder,
    end,
    again,
    signal: (signal) => void child?.kill(signal),
    async stop() {
      await end("SIGKILL");
      if (!options.folder) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
};

/** Whether somebody listens on the port: all three servers serve from then on. */
export const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("connect", done(true)).once("error", done(false));
  });
