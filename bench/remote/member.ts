import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import type { Called, Round, Said } from "./caller.ts";

/** Seconds of CPU time that a process has taken; 0 where the machine does not tell. */
export const cpuOf = (pid: number | undefined): number => {
  if (process.platform !== "linux" || pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100; // in the kernel's ticks, of which there are 100 a second
};

/** A process of a system that has no door: the room that answers, or the one that calls. It lives no longer than the bench. */
export class Member {
  readonly #process: ChildProcess;
  readonly #log: string;

  private constructor(process: ChildProcess, log: string) {
    this.#process = process;
    this.#log = log;
  }

  static async start(program: string, args: string[], env: Record<string, string>, log: string, execArgv: string[] = []): Promise<Member> {
    const out = openSync(log, "a");
    const child = fork(program, args, {
      env: { PATH: process.env.PATH, NODE_ENV: "production", LOG_LEVEL: "info", ...env },
      stdio: ["ignore", out, out, "ipc"],
      serialization: "advanced",
      execArgv,
    });
    const member = new Member(child, log);
    await member.#said();
    return member;
  }

  async round(round: Round): Promise<Called> {
    this.#process.send(round);
    const said = await this.#said();
    if ("called" in said) return said.called;
    throw new Error("error" in said ? said.error : "It says that it is ready, when it was asked for a round");
  }

  get cpu(): number {
    return cpuOf(this.#process.pid);
  }

  /** Lets it end by itself, for then it leaves its profile, if it was asked for one. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    this.#process.disconnect();
    await ended;
    clearTimeout(timer);
  }

  async #said(): Promise<Said> {
    const ended = once(this.#process, "exit").then(() => undefined);
    const said = await Promise.race([once(this.#process, "message"), ended]);
    if (!said) throw new Error(`${this.#process.spawnargs.join(" ")} ended: ${readFileSync(this.#log, "utf8").slice(-1_000)}`);
    return said[0] as Said;
  }
}
