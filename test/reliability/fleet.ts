import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endWithUs } from "../support/children.ts";
import { HOUSE } from "../support/system.ts";
import type { NodeSettings } from "./node.ts";
import type { Random } from "./random.ts";

/** A process that serves. */
export interface Member {
  readonly name: string;
  /** Where its gateway listens, if it has one. */
  readonly url?: string;
  readonly agent: Agent;
  readonly child: ChildProcess;
}

/** A process that clients can ask. */
export type Door = Member & { readonly url: string };

/** What this process's own surroundings say must not reach those that are under attack. */
const surroundings = (over: Record<string, string>): NodeJS.ProcessEnv => {
  const { ROOMS, NODE_ID, TRANSPORTER, MONGO_URL, REDIS_URL, NAMESPACE, NODE_TEST_CONTEXT, NODE_OPTIONS, ...kept } = process.env;
  return { ...kept, ...over };
};

export type Env = Readonly<Record<string, string>>;

export const forkHere = (program: string, args: string[], dir: string, log: string, own: Env = {}): ChildProcess => {
  const out = openSync(join(dir, log), "a");
  const env = surroundings({ DATA_DIR: dir, HOST: "127.0.0.1", PORT: "0", LOG_LEVEL: "warn", RATE_LIMIT: "0", ...own });
  const child = fork(join(import.meta.dirname, program), args, { cwd: HOUSE, env, stdio: ["ignore", out, out, "ipc"] });
  closeSync(out);
  endWithUs(child);
  return child;
};

/** The processes of a case, all on one folder or on the servers of one cluster. A member that ends unasked is a breach. */
export class Fleet {
  readonly dir: string;
  readonly breaches: string[] = [];
  readonly #members: Member[] = [];
  readonly #waiting: (() => void)[] = [];
  #started = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  get started(): number {
    return this.#started;
  }

  async start(settings: NodeSettings, env: Env = {}): Promise<Member> {
    const name = `node-${++this.#started}`;
    const child = forkHere("node.ts", [JSON.stringify(settings)], this.dir, `${name}.log`, env);
    const exit = once(child, "exit");
    const told = await Promise.race([once(child, "message"), exit.then(() => undefined)]);
    if (!told) throw new Error(`${name} ended before it served:\n${this.#tail(name)}`);
    const member: Member = { name, url: (told[0] as { url?: string }).url, agent: new Agent({ keepAlive: true }), child };
    this.#members.push(member);
    child.on("message", ({ failed }: { failed?: string }) => failed && this.breaches.push(`${name}: ${failed}`));
    exit.then(([code, signal]) => {
      if (this.#leave(member)) this.breaches.push(`${name} ended by itself (${code ?? signal}):\n${this.#tail(name)}`);
    });
    for (const resolve of this.#waiting.splice(0)) resolve();
    return member;
  }

  /** Starts a process that is killed after so many milliseconds, most likely before it serves. */
  async startInVain(settings: NodeSettings, after: number): Promise<void> {
    const child = forkHere("node.ts", [JSON.stringify(settings)], this.dir, `node-${++this.#started}.log`);
    const exit = once(child, "exit");
    await Promise.race([delay(after), exit]);
    child.kill("SIGKILL");
    await exit;
  }

  /** As a crash ends it: nothing of it runs any more when this resolves. */
  async kill(member: Member): Promise<void> {
    await this.#end(member, "SIGKILL");
  }

  /** As an operator ends it. */
  async stop(member: Member): Promise<void> {
    await this.#end(member, "SIGTERM");
  }

  async stopAll(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await Promise.all([...this.#members].map((member) => this.#end(member, signal)));
  }

  get doors(): readonly Door[] {
    return this.#members.filter((member): member is Door => member.url !== undefined);
  }

  /** Any process that can be asked; waits for one where none can. */
  async any(random: Random): Promise<Door> {
    while (this.doors.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return random.pick(this.doors);
  }

  async #end(member: Member, signal: "SIGTERM" | "SIGKILL") {
    this.#leave(member);
    const { child, agent } = member;
    const exit = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
    child.kill(signal);
    await exit;
    agent.destroy();
  }

  #leave(member: Member): boolean {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
    return at >= 0;
  }

  #tail(name: string): string {
    return readFileSync(join(this.dir, `${name}.log`), "utf8").slice(-2_000);
  }
}
